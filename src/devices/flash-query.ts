/** What the chip answers to "read query": JEDEC's Common Flash Interface (JESD68.01), as an eight-bit chip has it. */

/** Where the table begins and where its Intel extension stands (JESD68.01, 2.3; JEP137, command set 0001h). */
const IDENTIFICATION = 0x10;
const EXTENSION = 0x31;
const LENGTH = 0x40;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const word = (value: number): number[] => [value & 0xff, value >>> 8];

export function queryTable({
  length,
  block,
  buffer,
}: {
  readonly length: number;
  readonly block: number;
  readonly buffer: number;
}): Uint8Array {
  const table = new Uint8Array(LENGTH);
  const intelCommands = word(1);
  const none = [...word(0), ...word(0)];
  // 3.0 V to 3.6 V, and no programming voltage of its own.
  const voltages = [0x30, 0x36, 0, 0];
  // Powers of two: 128 us for a byte and for the buffer, 1 s for a block, none for the chip; at most 16 times that.
  const times = [7, 7, 10, 0, 4, 4, 4, 0];
  const eightBits = word(0);
  const geometry = [Math.ceil(Math.log2(length)), ...eightBits, ...word(Math.log2(buffer))];
  const regions = [1, ...word(length / block - 1), ...word(block / 256)];
  table.set(
    [...ascii('QRY'), ...intelCommands, ...word(EXTENSION), ...none, ...voltages, ...times, ...geometry, ...regions],
    IDENTIFICATION,
  );
  // Version 1.0, and no feature: nothing can be suspended, no lock can be set.
  table.set(ascii('PRI10'), EXTENSION);
  return table;
}
