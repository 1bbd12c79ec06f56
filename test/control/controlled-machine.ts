import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MachineClient } from '../../src/client/index.ts';
import { ControlServer, SerialTap, TurnShare } from '../../src/host/control/index.ts';
import { collectingSink } from '../../src/host/byte-sink.ts';
import { eventLoopPace, Machine, type MachineConfig, type Pace, type Stop } from '../../src/index.ts';
import { ENTER_FLAT, romOf } from '../boot-rom.ts';

/** A guest that computes without end, and counts at 1000h. */
export const COUNTING = 'xor ax, ax\nmov ds, ax\nagain: inc dword [0x1000]\njmp again';

/** A guest that sends back what it gets. */
export const ECHO = `again: mov dx, 0x3fd\nin al, dx\ntest al, 1\njz again\nmov dx, 0x3f8\nin al, dx\nout dx, al\njmp again`;

/** Jumps to 0:2000h over and over, where `mov al, 1` and a jump back are; what was in AL is at 1000h. */
export const JUMPING = `
  xor ax, ax
  mov ds, ax
  mov word [0x2000], 0x01b0
  mov byte [0x2002], 0xea
  mov word [0x2003], back - 0xf0000
  mov word [0x2005], 0xf000
again: jmp 0:0x2000
back: mov [0x1000], al
  jmp again
`;

/** A guest that shows a picture: mode 640 by 480 by 32 through BAR 2 of the display (slot 2, at 1000h of configuration addresses). */
export const PICTURE = `${ENTER_FLAT}
  mov ecx, 0x80001018
  mov ebx, 0xe1000000
  call config
  mov ecx, 0x80001010
  mov ebx, 0xe0000000
  call config
  mov ecx, 0x80001004
  mov ebx, 2
  call config
  mov word [0xe1000502], 640
  mov word [0xe1000504], 480
  mov word [0xe1000506], 32
  mov word [0xe1000508], 1
  mov dword [0xe0000000], 0x00ff8040
  jmp $
config: mov dx, 0xcf8
  mov eax, ecx
  out dx, eax
  mov dx, 0xcfc
  mov eax, ebx
  out dx, eax
  ret
`;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  json(): unknown;
}

export interface HttpQuestion {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** A machine that runs in this process, with its control socket in a folder of its own. */
export class ControlledMachine implements AsyncDisposable {
  readonly machine: Machine;
  readonly folder: string = mkdtempSync(join(tmpdir(), 'skep-control-'));
  readonly path: string = join(this.folder, 'test.sock');
  readonly serial: SerialTap = new SerialTap();
  readonly client: MachineClient = new MachineClient(this.path);
  readonly pace: Pace;
  control!: ControlServer;
  running: Promise<Stop> | undefined;

  private constructor(config: Partial<MachineConfig> & Pick<MachineConfig, 'bootRom'>) {
    const sink = collectingSink((bytes) => this.serial.write(bytes));
    this.machine = new Machine(
      { name: 'test', memory: 4 * 1024 * 1024, display: { width: 640, height: 480 }, ...config },
      {
        hostTime: () => Math.floor(performance.now() * 1e6),
        wallClock: () => Date.now() / 1000,
        serial: (byte) => sink.write(byte),
        debugConsole() {},
      },
    );
    this.pace = eventLoopPace(() => sink.flush());
  }

  /** Runs this code. With `idle` nothing runs: requests have the whole thread. */
  static async start(
    code: string,
    {
      idle = false,
      share = new TurnShare(),
      ...config
    }: Partial<MachineConfig> & { idle?: boolean; share?: TurnShare } = {},
  ): Promise<ControlledMachine> {
    const controlled = new ControlledMachine({ bootRom: romOf(code), ...config });
    const { machine, path, serial, pace } = controlled;
    controlled.control = await ControlServer.open({ machine, path, serial, share, wake: () => pace.wake() });
    if (!idle) controlled.running = machine.run(pace);
    return controlled;
  }

  /** One request, whatever it is. */
  ask(path: string, { method = 'GET', headers = {}, body }: HttpQuestion = {}): Promise<HttpAnswer> {
    return ask(this.path, path, { method, headers, ...(body === undefined ? {} : { body }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    this.machine.stop('interrupted');
    this.pace.wake();
    await this.running;
    await this.control[Symbol.asyncDispose]();
    this.machine[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function ask(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: HttpQuestion,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(pieces);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: whole, json: () => JSON.parse(whole.toString('utf8')) as unknown });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>, patience = 60_000): Promise<void> {
  for (const end = Date.now() + patience; !(await isSo());) {
    if (Date.now() > end) throw new Error('it has not come true');
    await new Promise((resume) => setTimeout(resume, 5));
  }
}
