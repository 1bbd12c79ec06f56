import { encode } from 'fast-png';
import { createFile } from './files.ts';

/** What a display shows: RGBA, 8 bits each, rows from the top without gaps. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export function writePng(path: string, { width, height, pixels }: Picture): void {
  using file = createFile(path);
  file.write(encode({ width, height, data: pixels, channels: 4, depth: 8 }));
}
