import type { Picture } from '../src/devices/framebuffer.ts';

const WIDTH = 8;
const HEIGHT = 16;

/** The letter A of the usual 8 x 16 font: by it the font is found in a display's firmware. */
const LETTER_A = [0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0];

/** Glyphs by their sixteen rows, taken from the firmware that draws them. */
function fontOf(firmware: Uint8Array): Map<string, string> {
  const found = Buffer.from(firmware).indexOf(Buffer.from(LETTER_A));
  if (found < 0) throw new Error('the firmware has no 8 x 16 font');
  const start = found - 'A'.charCodeAt(0) * HEIGHT;
  const font = new Map<string, string>();
  for (let code = 0x20; code < 0x7f; code++) {
    font.set(firmware.subarray(start + code * HEIGHT, start + (code + 1) * HEIGHT).join(), String.fromCharCode(code));
  }
  return font;
}

/** Reads a text screen back from its pixels, line by line. What is no printable character is `?`. */
export function screenText(picture: Picture, firmware: Uint8Array): string {
  const font = fontOf(firmware);
  const lines: string[] = [];
  for (let y = 0; y + HEIGHT <= picture.height; y += HEIGHT) {
    let line = '';
    for (let x = 0; x + WIDTH <= picture.width; x += WIDTH) line += font.get(rows(picture, x, y).join()) ?? '?';
    lines.push(line.trimEnd());
  }
  return lines.join('\n').trimEnd();
}

/** A cell as one byte a row: bright pixels are ones. */
function rows({ width, pixels }: Picture, x: number, y: number): number[] {
  return Array.from({ length: HEIGHT }, (_, row) => {
    let bits = 0;
    for (let column = 0; column < WIDTH; column++) {
      const at = 4 * ((y + row) * width + x + column);
      const brightness = (pixels[at] ?? 0) + (pixels[at + 1] ?? 0) + (pixels[at + 2] ?? 0);
      bits = (bits << 1) | (brightness > 128 ? 1 : 0);
    }
    return bits;
  });
}
