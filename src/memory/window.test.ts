import { beforeEach, describe, expect, test } from 'vitest';
import { refusal } from '../../test/refusal.ts';
import { KiB, MiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { Change, Segment, Window } from './index.ts';

let memory: GuestMemory;
let framebuffer: Segment;
let window: Window;
let told: Change[];

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 40 });
  framebuffer = memory.createSegment({ name: 'framebuffer', kind: 'devmem', length: 16 * MiB });
  window = memory.window(framebuffer, { prot: 'rw-' });
  told = [];
  memory.observe({ changed: (change) => told.push(change) });
});

function places(): [string, number][] {
  return [...memory].map((mapping) => [mapping.segment.name, mapping.gpa]);
}

const LOW = gpa(0xe000_0000);
const HIGH = gpa(0xf000_0000);

test('a window is hidden at first', () => {
  expect([window.gpa, window.segment, places()]).toEqual([undefined, framebuffer, []]);
});

test('moveTo shows the segment there, and nowhere else', () => {
  window.moveTo(LOW);
  window.moveTo(HIGH);
  expect([window.gpa, places()]).toEqual([HIGH, [['framebuffer', HIGH]]]);
});

test('a move is one edit: told once, with the old and the new mapping', () => {
  window.moveTo(LOW);
  window.moveTo(HIGH);
  expect(told.map(({ removed, added }) => [removed.map((old) => old.gpa), added.map((young) => young.gpa)])).toEqual([
    [[], [LOW]],
    [[LOW], [HIGH]],
  ]);
});

test('what was drawn before a move is there after it', () => {
  window.moveTo(LOW);
  memory.write(gpa(LOW + 12_345), Uint8Array.of(1, 2, 3));
  window.moveTo(HIGH);
  const pixels = new Uint8Array(3);
  expect([memory.read(gpa(HIGH + 12_345), pixels), [...pixels]]).toEqual([true, [1, 2, 3]]);
  expect(memory.read(gpa(LOW + 12_345), pixels)).toBe(false);
});

test('a move to where it is changes nothing and is not told', () => {
  window.moveTo(LOW);
  const [mapping] = memory;
  window.moveTo(LOW);
  expect([[...memory], told.length]).toEqual([[mapping], 1]);
});

test('hide takes it out of sight; twice is harmless', () => {
  window.moveTo(LOW);
  window.hide();
  window.hide();
  expect([window.gpa, places(), told.length]).toEqual([undefined, [], 2]);
});

test('a slice of a segment can be a window, and a segment can have several', () => {
  const half = memory.window(framebuffer, { prot: 'r--', offset: 8 * MiB, length: 8 * MiB });
  window.moveTo(LOW);
  half.moveTo(HIGH);
  memory.write(gpa(LOW + 8 * MiB), Uint8Array.of(9));
  const pixel = new Uint8Array(1);
  expect([memory.read(HIGH, pixel), pixel[0], [...memory.mappingsOf(framebuffer)].length]).toEqual([true, 9, 2]);
  window.hide();
  expect(places()).toEqual([['framebuffer', HIGH]]);
});

test('windows over mapped RAM and moves of sysmem work as those of devmem', () => {
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
  const shadow = memory.window(ram, { prot: 'rwx', offset: 768 * KiB, length: 64 * KiB, wired: true });
  shadow.moveTo(gpa(0xc_0000));
  expect(memory.at(gpa(0xc_0000))).toMatchObject({ offset: 768 * KiB, wired: true });
});

describe('a window that cannot be had is EINVAL when it is made', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no protection', { prot: '---' }],
    ['an odd offset', { prot: 'rw-', offset: 1 }],
    ['an offset at the end', { prot: 'rw-', offset: 16 * MiB }],
    ['too great a length', { prot: 'rw-', length: 32 * MiB }],
    ['an unknown flag', { prot: 'rw-', wired: 2 }],
  ])('%s', (_case, options) => {
    expect(refusal(() => memory.window(framebuffer, Object.assign({ prot: 'rw-' as const }, options))).code).toBe(
      'EINVAL',
    );
  });

  test('a segment of another guest memory', () => {
    const other = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
    const foreign = other.createSegment({ name: 'framebuffer', kind: 'devmem', length: 4096 });
    expect(refusal(() => memory.window(foreign, { prot: 'rw-' })).code).toBe('EINVAL');
  });
});

describe('moves by a BAR that other monitors got wrong', () => {
  test('to a place that is taken: the window stays, and the error names what is there (cloud-hypervisor #7938)', () => {
    const rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: MiB });
    const there = memory.map({ segment: rom, gpa: gpa(0xfff0_0000), prot: 'r-x' });
    window.moveTo(LOW);
    const error = refusal(() => window.moveTo(gpa(0xff80_0000)));
    expect(error).toMatchObject({ code: 'ENOMEM', facts: { inTheWay: there } });
    expect([window.gpa, memory.at(LOW)?.segment.name]).toEqual([LOW, 'framebuffer']);
    window.moveTo(HIGH);
    expect(window.gpa).toBe(HIGH);
  });

  test('to a misaligned place, or one past the address space: the window stays (bhyve: ~0 while sizing)', () => {
    window.moveTo(LOW);
    for (const place of [0xffff_fff0, 1, 2 ** 40, 2 ** 40 - 4096]) refusal(() => window.moveTo(gpa(place)));
    expect([window.gpa, places()]).toEqual([LOW, [['framebuffer', LOW]]]);
  });

  test('halfway through a 64-bit address: the place in between is really had, and then left (bhyve)', () => {
    window.moveTo(gpa(0x80_c000_0000));
    window.moveTo(gpa(0x80_e000_0000)); // The low half is written first,
    window.moveTo(gpa(0xe000_0000)); // then the high half.
    expect(places()).toEqual([['framebuffer', 0xe000_0000]]);
  });

  test('two windows to one place: the second is refused, gets it once the first has left, and neither is lost (cloud-hypervisor #8572)', () => {
    const other = memory.createSegment({ name: 'other', kind: 'devmem', length: 16 * MiB });
    const second = memory.window(other, { prot: 'rw-' });
    window.moveTo(LOW);
    refusal(() => second.moveTo(LOW));
    window.moveTo(HIGH);
    second.moveTo(LOW);
    expect(places()).toEqual([
      ['other', LOW],
      ['framebuffer', HIGH],
    ]);
  });

  test('by less than its own length, up and down', () => {
    window.moveTo(LOW);
    window.moveTo(gpa(LOW + MiB));
    window.moveTo(gpa(LOW + MiB - 4096));
    expect(places()).toEqual([['framebuffer', LOW + MiB - 4096]]);
    expect([memory.at(gpa(LOW + MiB - 4097)), memory.at(gpa(LOW + 17 * MiB - 4096))]).toEqual([undefined, undefined]);
  });

  test('that an observer refuses: the window stays where it was, even if it was hidden (bhyve: address remembered on failure)', () => {
    let refusing = true;
    memory.observe({
      changed() {
        if (refusing) throw new MemoryError('ENOSPC', 'no slot left');
      },
    });
    expect(refusal(() => window.moveTo(LOW)).code).toBe('ENOSPC');
    expect([window.gpa, places()]).toEqual([undefined, []]);
    refusing = false;
    window.moveTo(LOW);
    refusing = true;
    expect(refusal(() => window.moveTo(HIGH)).code).toBe('ENOSPC');
    expect(refusal(() => window.hide()).code).toBe('ENOSPC');
    expect([window.gpa, places()]).toEqual([LOW, [['framebuffer', LOW]]]);
  });

  test('before decoding is on, and off again: hide and move in any order leave nothing behind (firecracker #6069)', () => {
    window.hide();
    window.moveTo(LOW);
    window.hide();
    window.moveTo(HIGH);
    window.hide();
    expect([places(), [...memory.gaps()].length]).toEqual([[], 1]);
  });

  test('above 4 GiB and back (propolis #417)', () => {
    window.moveTo(gpa(2 ** 40 - 16 * MiB));
    expect(memory.at(gpa(2 ** 40 - 1))?.segment).toBe(framebuffer);
    window.moveTo(LOW);
    expect(memory.at(gpa(2 ** 40 - 1))).toBeUndefined();
  });

  test('a thousand of them leave nothing in the store but what one needs', () => {
    const store = new HeapStore();
    memory = new GuestMemory({ store, addressBits: 40 });
    window = memory.window(memory.createSegment({ name: 'fb', kind: 'devmem', length: 4 * MiB }), { prot: 'rw-' });
    window.moveTo(LOW);
    window.moveTo(gpa(LOW + 32 * MiB + 4096));
    const used = store.used;
    for (let turn = 0; turn < 1000; turn++) window.moveTo(gpa(LOW + (turn % 97) * MiB));
    expect(store.used).toBe(used);
  });
});

test('a reset hides a window on devmem, which can be moved again', () => {
  window.moveTo(LOW);
  memory.reset();
  expect(window.gpa).toBeUndefined();
  window.moveTo(LOW);
  expect(window.gpa).toBe(LOW);
});

test('a window whose mapping someone else took away is hidden', () => {
  window.moveTo(LOW);
  memory.unmap({ gpa: LOW, length: 16 * MiB });
  window.hide();
  expect([window.gpa, places()]).toEqual([undefined, []]);
});

test('a window on a destroyed segment is EINVAL to move', () => {
  memory.destroySegment(framebuffer);
  expect(refusal(() => window.moveTo(LOW)).code).toBe('EINVAL');
});
