const PER_LINE = 16;

/** Shows bytes sixteen a line, like `hexdump -C`, as they come in pieces of any length. */
export class HexDump {
  readonly #digits: number;
  #address: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(start: number, end: number) {
    this.#address = start;
    this.#digits = Math.max(8, end.toString(16).length);
  }

  /** The lines that these bytes complete. */
  take(bytes: Uint8Array): string {
    const all = Buffer.concat([this.#rest, bytes]);
    let text = '';
    let at = 0;
    for (; at + PER_LINE <= all.length; at += PER_LINE) text += this.#line(all.subarray(at, at + PER_LINE));
    this.#rest = all.subarray(at);
    return text;
  }

  /** The last line, if it is not full. */
  end(): string {
    return this.#rest.length === 0 ? '' : this.#line(this.#rest);
  }

  #line(bytes: Uint8Array): string {
    const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
    const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    const halves = `${pairs.slice(0, 8).join(' ')}  ${pairs.slice(8).join(' ')}`;
    const line = `${this.#address.toString(16).padStart(this.#digits, '0')}  ${halves.padEnd(49)} |${text}|\n`;
    this.#address += bytes.length;
    return line;
  }
}
