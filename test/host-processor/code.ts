/** A number's bytes, the lowest first. */
export function little(value: number | bigint, size: number): number[] {
  if (typeof value === 'number') return bytesOf(value, value < 0 ? -1 : 0, size);
  return bytesOf(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), size);
}

function bytesOf(low: number, high: number, size: number): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < size; at++) bytes.push(((at < 4 ? low : high) >>> (8 * (at & 3))) & 0xff);
  return bytes;
}

/** MOV register, immediate: sets an operand up without touching a flag. */
export function set(register: number, value: number | bigint): number[] {
  const isShort = value >= 0 && value < 2 ** 32;
  if (isShort) return [...(register < 8 ? [] : [0x41]), 0xb8 + (register & 7), ...little(value, 4)];
  return [0x48 | (register >> 3), 0xb8 + (register & 7), ...little(value, 8)];
}

/** MOV dword [address], immediate. */
export const setMemory = (address: number, value: number): number[] => [
  0xc7,
  0x04,
  0x25,
  ...little(address, 4),
  ...little(value, 4),
];

/** ModRM and what follows it for an operand at an absolute address. */
export const absolute = (reg: number, address: number): number[] => [(reg << 3) | 4, 0x25, ...little(address, 4)];
