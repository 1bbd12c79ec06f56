import { encode } from 'fast-png';
import { replaceFile } from './files.ts';

/** What a display shows: RGBA, 8 bits each, rows from the top without gaps. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Leaves what was there as it was when the disk is full. */
export function writePng(path: string, { width, height, pixels }: Picture): void {
  replaceFile(path, encode({ width, height, data: pixels, channels: 4, depth: 8 }));
}
