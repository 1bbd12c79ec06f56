import { BootRomError } from '../devices/boot-rom.ts';
import { FlashError } from '../devices/flash.ts';
import { FramebufferError } from '../devices/framebuffer.ts';
import { ControlError } from '../client/control-error.ts';
import { HostError } from '../host/host-error.ts';
import { ConfigError } from '../machine/config-error.ts';
import { MemoryError } from '../memory/index.ts';

const INPUT_ERRORS = [
  ConfigError,
  ControlError,
  HostError,
  BootRomError,
  FlashError,
  FramebufferError,
  MemoryError,
] as const;

/** Whether an error is the answer to what a person asked for, and so one line, or a defect of skep, and so a trace. */
export function isInputError(error: unknown): error is Error {
  return INPUT_ERRORS.some((kind) => error instanceof kind);
}
