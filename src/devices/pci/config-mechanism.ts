import { allOnes, type AccessSize, type IoHandler } from '../../bus/io-handler.ts';
import type { PciBus } from './pci-bus.ts';

/** Bits of the address register that exist; the others read as 0. */
const ADDRESS_BITS = 0x80ff_fffc;
const RESET_CONTROL = 1;

/**
 * Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2). `address` expects ports CF8h to CFBh, `data` CFCh to CFFh.
 *
 *     31      | 23..16 | 15..11 | 10..8    | 7..2     | 1..0
 *     enable  | bus    | slot   | function | register | 0
 *
 * Only a dword access at CF8h is the address register. A byte access at CF9h is the south bridge's reset control, and
 * other accesses are plain I/O that nobody answers; Linux checks that before it trusts the mechanism.
 */
export class ConfigMechanism {
  readonly address: IoHandler;
  readonly data: IoHandler;
  readonly #bus: PciBus;
  #address = 0;

  constructor({ bus, resetControl }: { bus: PciBus; resetControl: IoHandler }) {
    this.#bus = bus;
    this.address = {
      read: (offset, size) => this.#readAddress(offset, size, resetControl),
      write: (offset, size, value) => this.#writeAddress(offset, size, value, resetControl),
    };
    this.data = {
      read: (offset, size) => this.#target()?.config.read(this.#register(offset), size) ?? allOnes(size),
      write: (offset, size, value) => this.#target()?.config.write(this.#register(offset), size, value),
    };
  }

  reset(): void {
    this.#address = 0;
  }

  #readAddress(offset: number, size: AccessSize, resetControl: IoHandler): number {
    if (offset === 0 && size === 4) return this.#address;
    return offset === RESET_CONTROL && size === 1 ? resetControl.read(0, 1) : allOnes(size);
  }

  #writeAddress(offset: number, size: AccessSize, value: number, resetControl: IoHandler): void {
    if (offset === 0 && size === 4) this.#address = (value & ADDRESS_BITS) >>> 0;
    else if (offset === RESET_CONTROL && size === 1) resetControl.write(0, 1, value);
  }

  /** The function that the address register selects: there is only bus 0. */
  #target(): ReturnType<PciBus['select']> {
    const enabledOnBus0 = this.#address >>> 16 === 0x8000;
    return enabledOnBus0 ? this.#bus.select((this.#address >>> 8) & 0xff) : undefined;
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) + offset;
  }
}
