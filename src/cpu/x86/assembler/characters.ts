/** The bytes of a string in UTF-8. */
export function characters(text: string): number[] {
  return Array.from(text, (character) => bytesOf(character.codePointAt(0) ?? 0)).flat();
}

function bytesOf(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), continuation(code)];
  if (code < 0x1_0000) return [0xe0 | (code >> 12), continuation(code >> 6), continuation(code)];
  return [0xf0 | (code >> 18), continuation(code >> 12), continuation(code >> 6), continuation(code)];
}

const continuation = (bits: number): number => 0x80 | (bits & 0x3f);
