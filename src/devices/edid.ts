/** Bytes of the one block that is made here; no extension follows. */
const EDID_LENGTH = 128;
/** A timing descriptor has 12 bits for each size. */
export const EDID_LARGEST = 4095;

const REFRESH = 60;
const DOTS_PER_CM = 96 / 2.54;
/** Reduced blanking (VESA CVT 1.1, 3.4.3): fixed horizontal blanking, and at least 460 microseconds of vertical. */
const BLANKING = { horizontal: 160, front: 48, sync: 32, vertical: 460e-6, verticalFront: 3, verticalSync: 6 } as const;

const HEADER: readonly number[] = [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
/** The sRGB primaries and white point. (E-EDID 1.4, 3.7) */
const SRGB: readonly number[] = [0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54];
/** 640x480, 800x600 and 1024x768 at 60 Hz, which guests may take as well. (3.8) */
const ESTABLISHED: readonly number[] = [0x21, 0x08, 0x00];

const OFFSET = {
  manufacturer: 0x08,
  input: 0x14,
  chroma: 0x19,
  established: 0x23,
  standard: 0x26,
  timing: 0x36,
} as const;
const DESCRIPTOR = 18;
const TAG = { name: 0xfc, dummy: 0x10 } as const;

/**
 * What a monitor says of itself over DDC (VESA E-EDID 1.4): a digital monitor whose preferred mode is the given size.
 *
 *     00 header | 08 who made it, when | 12 version | 14 what it is | 19 colours | 23 known timings | 26 more timings
 *     36 preferred timing | 48 name | 5a nothing | 6c nothing | 7e extensions | 7f checksum
 */
export function edid({ width, height }: { width: number; height: number }): Uint8Array {
  const block = new Uint8Array(EDID_LENGTH);
  block.set(HEADER);
  block.set([...letters('SKP'), 1, 0, 0, 0, 0, 0, 0, 2026 - 1990, 1, 4], OFFSET.manufacturer);
  block.set([0xa0, centimetres(width), centimetres(height), 120, 0x06], OFFSET.input);
  block.set(SRGB, OFFSET.chroma);
  block.set(ESTABLISHED, OFFSET.established);
  block.fill(0x01, OFFSET.standard, OFFSET.timing);
  block.set(timing(width, height), OFFSET.timing);
  block.set(descriptor(TAG.name, 'skep\n'), OFFSET.timing + DESCRIPTOR);
  block.set(descriptor(TAG.dummy, ''), OFFSET.timing + 2 * DESCRIPTOR);
  block.set(descriptor(TAG.dummy, ''), OFFSET.timing + 3 * DESCRIPTOR);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block[EDID_LENGTH - 1] = -sum;
  return block;
}

function codes(text: string): number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
}

/** Three letters of five bits each, big-endian. (3.4.1) */
function letters(name: string): [number, number] {
  const packed = codes(name).reduce((bits, code) => (bits << 5) | (code - 64), 0);
  return [packed >>> 8, packed & 0xff];
}

function centimetres(pixels: number): number {
  return Math.min(255, Math.round(pixels / DOTS_PER_CM));
}

/** A detailed timing (3.10.2). Sizes are split: eight low bits in one byte, four high bits share another. */
function timing(width: number, height: number): number[] {
  const { horizontal, front, sync, verticalFront, verticalSync } = BLANKING;
  const vertical = verticalBlanking(height);
  const clock = Math.min(0xffff, Math.round(((width + horizontal) * (height + vertical) * REFRESH) / 10_000));
  const [across, down] = [Math.round((width / DOTS_PER_CM) * 10), Math.round((height / DOTS_PER_CM) * 10)];
  const bytes = [
    [clock, clock >>> 8],
    [width, horizontal, highNibbles(width, horizontal)],
    [height, vertical, highNibbles(height, vertical)],
    [front, sync, (verticalFront << 4) | verticalSync, 0],
    [across, down, highNibbles(across, down)],
    [0, 0, 0x1e],
  ];
  return bytes.flat().map((byte) => byte & 0xff);
}

function verticalBlanking(height: number): number {
  const frame = 1 / REFRESH;
  return Math.ceil((BLANKING.vertical * height) / (frame - BLANKING.vertical)) + 1;
}

function highNibbles(first: number, second: number): number {
  return ((first >>> 8) << 4) | ((second >>> 8) & 0xf);
}

/** A descriptor of up to 13 characters, padded with blanks. (3.10.3) */
function descriptor(tag: number, text: string): number[] {
  const padding = tag === TAG.dummy ? '\0' : ' ';
  return [0, 0, 0, tag, 0, ...codes(text.padEnd(13, padding))];
}
