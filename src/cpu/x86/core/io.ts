/** Ports: who may use them (SDM volume 1, section 18.5), and IN and OUT. */
import { DEBUG_ARMED_PORT, REG_RAX, REG_RDX, SEG_TR } from './generated/layout';
import { systemRead16 } from './access';
import { ATTRIBUTE_P, TYPE_TSS32 } from './descriptor';
import { isArmed, watchPort } from './debug';
import { fault, raiseError, VECTOR_GP } from './fault';
import { portRead, portWrite } from './host';
import { hasIoPrivilege, isReal, isV86 } from './privilege';
import { reg16, register, segmentAttributes, segmentBase, segmentLimit, setRegister } from './state';
import { hasImmediate, uopImmediate, uopSize } from './uop';

/** Whether the code that is running may use `size` ports from `port`; raises #GP(0) when not. */
export function checkPort(port: u32, size: u32): bool {
  const free = isReal() || (hasIoPrivilege() && !isV86());
  if (free || isPermitted(port, size)) return true;
  if (!fault) raiseError(VECTOR_GP, 0);
  return false;
}

/**
 * The I/O permission bitmap of a 32-bit TSS. Two bytes are always read, so a bitmap ends with a byte of ones within the
 * limit.
 */
function isPermitted(port: u32, size: u32): bool {
  const attributes = segmentAttributes(SEG_TR);
  if ((attributes & ATTRIBUTE_P) == 0 || (attributes & 0x1d) != TYPE_TSS32 || segmentLimit(SEG_TR) < 0x67) return false;
  const offset = systemRead16(segmentBase(SEG_TR) + 0x66) + (port >> 3);
  if (fault || offset + 1 > segmentLimit(SEG_TR)) return false;
  const bits = systemRead16(segmentBase(SEG_TR) + offset) >> (port & 7);
  return !fault && (bits & ((1 << size) - 1)) == 0;
}

/** The access itself, which a port breakpoint may be watching. */
export function readPort(port: u32, size: u32): u32 {
  if (isArmed(DEBUG_ARMED_PORT)) watchPort(port, size);
  return portRead(port, size);
}

export function writePort(port: u32, size: u32, value: u32): void {
  if (isArmed(DEBUG_ARMED_PORT)) watchPort(port, size);
  portWrite(port, size, value);
}

function portOf(u: usize): u32 {
  return hasImmediate(u) ? <u32>uopImmediate(u) & 0xff : reg16(REG_RDX);
}

export function portIn(u: usize): void {
  const size = uopSize(u);
  if (!checkPort(portOf(u), size)) return;
  setRegister(REG_RAX, size, readPort(portOf(u), size));
}

export function portOut(u: usize): void {
  const size = uopSize(u);
  if (!checkPort(portOf(u), size)) return;
  writePort(portOf(u), size, <u32>register(REG_RAX, size));
}
