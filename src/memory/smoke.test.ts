import { expect, test } from 'vitest';
import { MiB, KiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, ArenaStore, PAGE_FLAG } from './index.ts';
for (const store of [new HeapStore(), new ArenaStore({ capacity: 256 * MiB, reserved: 65536 })]) {
  test(`smoke ${store.constructor.name}`, () => {
    const memory = new GuestMemory({ store });
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 128 * MiB });
    const rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 256 * KiB });
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    memory.map({ segment: rom, gpa: gpa(0xfffc_0000), prot: 'r-x' });
    expect(memory.at(gpa(0xffff_fff0))?.segment.name).toBe('bootrom');
    expect(memory.at(gpa(0x100_0000))?.segment.name).toBe('ram');
    expect(memory.write(gpa(0xffff_fff0), new Uint8Array(3))).toBe(false);
    expect(memory.write(gpa(0x1000), Uint8Array.of(1, 2, 3))).toBe(true);
    const out = new Uint8Array(3);
    expect(memory.read(gpa(0x1000), out)).toBe(true);
    expect([...out]).toEqual([1, 2, 3]);
    expect([...memory.gaps()].length).toBe(2);
    const w = memory.window(memory.createSegment({ name: 'fb', kind: 'devmem', length: 16 * MiB }), { prot: 'rw-' });
    w.moveTo(gpa(0xf000_0000));
    w.moveTo(gpa(0xf010_0000));
    expect(() => w.moveTo(gpa(0xff00_0000))).toThrow(/no room/);
    expect(w.gpa).toBe(0xf010_0000);
    const got: number[] = [];
    memory.trackCode({ codeWritten: (a) => got.push(a) });
    memory.markCode(gpa(0x1000));
    expect(memory.flat.flagsAt(0x1000) & PAGE_FLAG.CODE).toBeTruthy();
    memory.write(gpa(0x1000), Uint8Array.of(9));
    expect(got).toEqual([memory.flat.addressAt(0x1000)]);
    memory.reset();
    expect([...memory].map((m) => m.segment.name)).toEqual(['ram']);
    memory[Symbol.dispose]();
    expect(store.used).toBe(0);
    expect(() => memory.at(gpa(0))).toThrow(/destroyed/);
  });
}
