import { ConfigError } from '../config-error.ts';
import type { BootFile } from './boot-plan.ts';

/** Reads little-endian numbers of an image that may be anything: what lies outside it is an error of one sentence. */
export class ImageReader {
  readonly #file: BootFile;
  readonly #what: string;
  readonly #view: DataView;

  constructor(file: BootFile, what = 'kernel') {
    this.#file = file;
    this.#what = what;
    this.#view = new DataView(file.bytes.buffer, file.bytes.byteOffset, file.bytes.byteLength);
  }

  get length(): number {
    return this.#file.bytes.length;
  }

  /** Whether `[at, at + length)` lies in the image. */
  has(at: number, length: number): boolean {
    return at >= 0 && length >= 0 && at + length <= this.length;
  }

  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** A number of 64 bits. Above 2^53 it is not exact, and too large for any use. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.#file.bytes.subarray(at, at + length);
  }

  /** Refuses the image. */
  fail(sentence: string): never {
    throw new ConfigError(`${this.#what} '${this.#file.name}' ${sentence}`);
  }

  #check(at: number, length: number): void {
    if (!this.has(at, length)) this.fail(`is truncated: it ends at byte ${this.length}, before ${at + length}`);
  }
}
