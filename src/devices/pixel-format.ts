/** How the colours lie in a pixel. */
export interface PixelFormat {
  readonly bytes: number;
  readonly red: Channel;
  readonly green: Channel;
  readonly blue: Channel;
}
export interface Channel {
  readonly shift: number;
  readonly mask: number;
}

const BYTE = 0xff;
const TRUE_COLOUR = {
  red: { shift: 16, mask: BYTE },
  green: { shift: 8, mask: BYTE },
  blue: { shift: 0, mask: BYTE },
} as const;
/** By bits per pixel. */
export const PIXEL_FORMATS: Readonly<Record<number, PixelFormat>> = {
  32: { bytes: 4, ...TRUE_COLOUR },
  24: { bytes: 3, ...TRUE_COLOUR },
  16: { bytes: 2, red: { shift: 11, mask: 31 }, green: { shift: 5, mask: 63 }, blue: { shift: 0, mask: 31 } },
  15: { bytes: 2, red: { shift: 10, mask: 31 }, green: { shift: 5, mask: 31 }, blue: { shift: 0, mask: 31 } },
};

/** One row of pixels to red, green, blue, opaque. */
export function decodeLine(line: Uint8Array, format: PixelFormat, bigEndian: boolean, target: Uint8Array): void {
  const { bytes, red, green, blue } = format;
  let to = 0;
  for (let at = 0; at < line.length; at += bytes) {
    let pixel = 0;
    for (let i = 0; i < bytes; i++) pixel |= (line[at + i] ?? 0) << (8 * (bigEndian ? bytes - 1 - i : i));
    target[to++] = channel(pixel, red);
    target[to++] = channel(pixel, green);
    target[to++] = channel(pixel, blue);
    target[to++] = BYTE;
  }
}

/** Widened to eight bits so that the brightest value stays the brightest. */
function channel(pixel: number, { shift, mask }: Channel): number {
  return Math.round((((pixel >>> shift) & mask) * BYTE) / mask);
}
