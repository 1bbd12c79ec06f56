import { GiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { gpa } from '../memory/address.ts';
import type { Segment } from '../memory/segment.ts';
import type { Window } from '../memory/window.ts';
import type { DeviceMemory } from './device-memory.ts';

const LARGEST = 16 * MiB;
const TOP = 4 * GiB;

/** The image cannot be a boot ROM. */
export class BootRomError extends Error {
  override readonly name = 'BootRomError';
  readonly code = 'EINVAL';
  readonly facts: { readonly length: number };

  constructor(length: number) {
    super(
      `a boot ROM of ${length} bytes is refused: it must be a multiple of ${PAGE_SIZE} bytes, ` +
        `at least ${PAGE_SIZE} and at most ${LARGEST}`,
    );
    this.facts = { length };
  }
}

/**
 * The firmware: a devmem segment that ends at 4 GiB, where the processor fetches its first instruction 16 bytes below
 * the end. Guests read and execute it; what they write to it is dropped. Its copy below 1 MiB is the host bridge's, to
 * which the machine hands `segment`.
 */
export class BootRom {
  readonly segment: Segment;
  readonly #window: Window;

  constructor({ memory, image, name = 'bootrom' }: { memory: DeviceMemory; image: Uint8Array; name?: string }) {
    const { length } = image;
    if (length === 0 || length > LARGEST || length % PAGE_SIZE !== 0) throw new BootRomError(length);
    this.segment = memory.createSegment({ name, kind: 'devmem', length });
    this.segment.write(0, image);
    this.#window = memory.window(this.segment, { prot: 'r-x' });
    this.reset();
  }

  /** Shows the ROM again, since a reset of guest memory takes devmem out. Its bytes stay. */
  reset(): void {
    this.#window.moveTo(gpa(TOP - this.segment.length));
  }
}
