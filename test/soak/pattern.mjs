// What the moving guest leaves in its framebuffer (moving-guest.ts), held against what is found there.

/** Where it begins, and how long it is with both numbers. */
export const START = 0x3000;
export const LENGTH = 0x2004;

const word = (bytes, offset) => bytes.readUInt32LE(offset - START);

/** The words of a lap. */
function patternOf(lap, identity) {
  const bytes = Buffer.alloc(4096);
  for (let i = 0, value = (lap ^ identity) >>> 0; i < 1024; i++, value = (value + 0x01000193) >>> 0) {
    bytes.writeUInt32LE(value, 4 * i);
  }
  return bytes;
}

/**
 * What is wrong with bytes that were copied while the guest stood still, if anything: they are those of one lap, or the
 * first so many of a lap that had begun and the others of the lap before.
 */
export function wrongAtRest(bytes, identity) {
  const begun = word(bytes, 0x3000);
  const ended = word(bytes, 0x5000);
  if (begun !== ended && begun !== ended + 1) return `lap ${begun} has begun and lap ${ended} ended`;
  const found = bytes.subarray(0x3800 - START, 0x4800 - START);
  const next = patternOf(begun, identity);
  const last = ended === 0 ? Buffer.alloc(4096) : patternOf(ended, identity);
  let at = 0;
  while (at < 4096 && found.readUInt32LE(at) === next.readUInt32LE(at)) at += 4;
  if (found.subarray(at).equals(last.subarray(at))) return undefined;
  return `laps ${begun} and ${ended}: ${found.subarray(at, at + 8).toString('hex')} at ${(0x3800 + at).toString(16)}`;
}
