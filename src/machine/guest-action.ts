import { PORTS } from './layout.ts';

const KINDS = { none: 0, port: 1, mmio: 2 } as const;

/**
 * What the guest is doing to a bus right now. It is recorded on every write and read out almost never, so it is kept
 * as numbers; words are made when a map edit is traced.
 */
export class GuestAction {
  #kind: number = KINDS.none;
  #address = 0;
  #value = 0;
  #size = 0;
  /** The last dword at CF8h, which the data ports write through. */
  #configAddress = 0;

  portWrite(port: number, size: number, value: number): void {
    this.#record(KINDS.port, port, size, value);
    if (port === PORTS.pciConfigAddress.start && size === 4) this.#configAddress = value;
  }

  mmioWrite(gpa: number, size: number, value: number): void {
    this.#record(KINDS.mmio, gpa, size, value);
  }

  /** The access has been answered: what happens from now on is not its doing. */
  done(): void {
    this.#kind = KINDS.none;
  }

  describe(): string {
    if (this.#kind === KINDS.none) return 'machine';
    const value = hexDigits(this.#value, this.#size * 2);
    if (this.#kind === KINDS.mmio) return `store ${hexDigits(this.#address, 8)} = ${value}`;
    const data = PORTS.pciConfigData;
    const isConfigData = this.#address >= data.start && this.#address < data.start + data.length;
    return isConfigData
      ? `pci ${this.#configTarget(this.#address - data.start)} = ${value}`
      : `out ${hexDigits(this.#address, 4)} = ${value}`;
  }

  #configTarget(offset: number): string {
    const address = this.#configAddress;
    const slot = hexDigits((address >>> 11) & 0x1f, 2);
    return `${slot}.${(address >>> 8) & 7} [${hexDigits((address & 0xfc) + offset, 2)}]`;
  }

  #record(kind: number, address: number, size: number, value: number): void {
    this.#kind = kind;
    this.#address = address;
    this.#size = size;
    this.#value = value;
  }
}

const hexDigits = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');
