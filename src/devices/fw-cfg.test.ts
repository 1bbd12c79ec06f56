import { describe, expect, it } from 'vitest';

import { GiB, MiB } from '../base/units.ts';
import { bootOrder, e820, FW_CFG_ITEM, FwCfg, littleEndian } from './fw-cfg.ts';

const RAM = 0x1_0000;

/** A device before 64 KiB of RAM, and what a guest would do with it. */
function firmwareConfiguration() {
  const ram = new Uint8Array(RAM);
  const writes = { count: 0 };
  const inside = (gpa: number, length: number): boolean => gpa >= 0 && gpa + length <= RAM;
  const memory = {
    read(gpa: number, target: Uint8Array): boolean {
      if (!inside(gpa, target.length)) return false;
      target.set(ram.subarray(gpa, gpa + target.length));
      return true;
    },
    write(gpa: number, source: Uint8Array): boolean {
      writes.count++;
      if (!inside(gpa, source.length)) return false;
      ram.set(source, gpa);
      return true;
    },
  };
  const device = new FwCfg({ memory, ramSize: 5 * GiB, processors: 2, maxProcessors: 4 });
  const select = (item: number): void => device.ports.write(0, 2, item);
  const read = (length: number): number[] => Array.from({ length }, () => device.ports.read(1, 1));
  const item = (selector: number, length: number): number[] => {
    select(selector);
    return read(length);
  };
  const view = new DataView(ram.buffer);
  /** Puts a control structure at 100h, starts it, answers the control word afterwards. */
  const transfer = (control: number, length: number, address: bigint, at = 0x100): number => {
    view.setUint32(at, control);
    view.setUint32(at + 4, length);
    view.setBigUint64(at + 8, address);
    start(BigInt(at));
    return view.getUint32(at);
  };
  const start = (address: bigint): void => {
    view.setBigUint64(0, address);
    device.dma.write(0, 4, view.getUint32(0, true));
    device.dma.write(4, 4, view.getUint32(4, true));
  };
  return { device, ram, writes, select, read, item, transfer, start };
}

const text = (bytes: Iterable<number>): string => String.fromCharCode(...bytes);
const bytes = (source: string): Uint8Array => Uint8Array.from(Buffer.from(source));

describe('numbered items', () => {
  it.each([
    ['signature', FW_CFG_ITEM.signature, [...bytes('QEMU')]],
    ['features: traditional and DMA', FW_CFG_ITEM.features, [3, 0, 0, 0]],
    ['RAM size', FW_CFG_ITEM.ramSize, [0, 0, 0, 0x40, 1, 0, 0, 0]],
    ['processors', FW_CFG_ITEM.processors, [2, 0]],
    ['most processors', FW_CFG_ITEM.maxProcessors, [4, 0]],
    ['an empty directory', FW_CFG_ITEM.directory, [0, 0, 0, 0]],
  ])('%s', (_name, selector, expected) => {
    const { item } = firmwareConfiguration();
    expect(item(selector, expected.length)).toEqual(expected);
  });

  it('are read byte by byte, and as zeros past the end', () => {
    const { item } = firmwareConfiguration();
    expect(item(0, 6)).toEqual([...bytes('QEMU'), 0, 0]);
  });

  it('that do not exist read as zeros', () => {
    const { item } = firmwareConfiguration();
    expect(item(0x1234, 3)).toEqual([0, 0, 0]);
  });

  it('start again when they are selected again, with or without the old write bit', () => {
    const { item } = firmwareConfiguration();
    expect(item(0, 2)).toEqual(item(0x4000, 2));
  });

  it('come several bytes at a time, the first one lowest', () => {
    const { device, select } = firmwareConfiguration();
    select(0);
    expect(device.ports.read(1, 2)).toBe(0x4551);
    select(0);
    expect(device.ports.read(1, 4)).toBe(0x554d4551);
  });

  it('are selected by 16-bit writes only', () => {
    const { device, read, select } = firmwareConfiguration();
    select(0);
    device.ports.write(0, 1, 5);
    device.ports.write(1, 1, 5);
    expect(text(read(4))).toBe('QEMU');
  });

  it('outside the selector’s range are refused', () => {
    const { device } = firmwareConfiguration();
    for (const item of [-1, 0x4000, 0x1_0000, 1.5]) expect(() => device.set(item, bytes(''))).toThrow('no item');
  });
});

describe('files', () => {
  it('are in the directory by name, each with its length and a selector that reads it', () => {
    const { device, item } = firmwareConfiguration();
    const contents = { 'etc/zebra': 'stripes', bootorder: '/pci', 'etc/ape': '' };
    for (const [name, content] of Object.entries(contents)) device.add(name, bytes(content));
    const directory = Uint8Array.from(item(FW_CFG_ITEM.directory, 4 + 3 * 64));
    const view = new DataView(directory.buffer);
    expect(view.getUint32(0)).toBe(3);
    const entries = [0, 1, 2].map((index) => {
      const at = 4 + index * 64;
      const name = text(directory.subarray(at + 8, at + 64)).replace(/\0+$/, '');
      return [name, text(item(view.getUint16(at + 4), view.getUint32(at)))];
    });
    expect(entries).toEqual(Object.entries(contents).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

  it.each(['', 'x'.repeat(56), 'käse', 'a b', 'a\0'])('cannot be named %j', (name) => {
    const { device } = firmwareConfiguration();
    expect(() => device.add(name, bytes(''))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('have one name each', () => {
    const { device } = firmwareConfiguration();
    device.add('a', bytes(''));
    expect(() => device.add('a', bytes(''))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });
});

describe('DMA', () => {
  const SELECT_READ = 0x0a;

  it('is announced at its port', () => {
    const { device } = firmwareConfiguration();
    expect(text([...Array(8).keys()].map((offset) => device.dma.read(offset, 1)))).toBe('QEMU CFG');
    expect(device.dma.read(0, 4)).toBe(0x554d4551);
  });

  it('selects and reads, and zeros what lies past the end', () => {
    const { ram, transfer } = firmwareConfiguration();
    ram.fill(0xff, 0x200, 0x300);
    expect(transfer(SELECT_READ, 8, 0x200n)).toBe(0);
    expect([...ram.subarray(0x200, 0x209)]).toEqual([...bytes('QEMU'), 0, 0, 0, 0, 0xff]);
  });

  it('goes on where reads and skips have left off', () => {
    const { device, ram, select, read, transfer } = firmwareConfiguration();
    device.add('file', bytes('abcdefgh'));
    select(0x20);
    read(1);
    expect(transfer(0x04, 2, 0n)).toBe(0);
    expect(transfer(0x02, 3, 0x200n)).toBe(0);
    expect(text(ram.subarray(0x200, 0x203))).toBe('def');
    expect(text(read(2))).toBe('gh');
  });

  it('skipping stops at the end', () => {
    const { transfer, read } = firmwareConfiguration();
    expect(transfer(0x0c, 0xffff_ffff, 0n)).toBe(0);
    expect(read(1)).toEqual([0]);
  });

  it('tells a file that it is about to be read from its beginning, and reads what it is then', () => {
    const { device, ram, transfer, select, read } = firmwareConfiguration();
    const content = bytes('0');
    let times = 0;
    device.add('file', content, { onSelect: () => content.set(bytes(`${++times}`)) });
    select(0x20);
    expect([text(read(1)), times]).toEqual(['1', 1]);
    expect(transfer(0x20_000a, 1, 0x200n)).toBe(0);
    expect([text([...ram.subarray(0x200, 0x201)]), times]).toEqual(['2', 2]);
  });

  it('writes into a file that wants it, and says where', () => {
    const { device, ram, transfer } = firmwareConfiguration();
    const content = bytes('........');
    const told: number[][] = [];
    device.add('file', content, { onWrite: (...what) => told.push(what) });
    ram.set(bytes('xyz'), 0x200);
    expect(transfer(0x20_0000 | 0x0c, 2, 0n)).toBe(0);
    expect(transfer(0x10, 3, 0x200n)).toBe(0);
    expect([text(content), told]).toEqual(['..xyz...', [[2, 3]]]);
  });

  it.each([
    ['writing to a file that is read-only', 0x20_0018, 1, 0x200n],
    ['writing more than a file has', 0x21_0018, 9, 0x200n],
    ['writing to nothing', 0x1234_0018, 1, 0x200n],
    ['writing from where nothing is', 0x21_0018, 4, 0x20_0000n],
    ['reading to where nothing is', SELECT_READ, 4, 0x20_0000n],
    ['reading over the end of memory', SELECT_READ, 4, 0xfffen],
    ['zeros to where nothing is', SELECT_READ, 0xffff_ffff, 0x200n],
    ['an address beyond all memory', SELECT_READ, 4, 0xffff_ffff_ffff_fff0n],
    ['an address that a double cannot hold', 0x21_0018, 4, 0x20_0000_0000_0001n],
  ])('%s sets the error bit', (_what, control, length, address) => {
    const { device, transfer } = firmwareConfiguration();
    device.add('constant', bytes('........'));
    device.add('variable', bytes('........'), {
      onWrite() {
        throw new Error('told of a write that failed');
      },
    });
    expect(transfer(control, length, address)).toBe(1);
  });

  it('a structure where no memory is does nothing', () => {
    const { start, read } = firmwareConfiguration();
    for (const address of [0x20_0000n, 0xffff_ffff_ffff_ffffn, 0xfff8n]) start(address);
    expect(text(read(4))).toBe('QEMU');
  });

  it('four gigabytes of zeros are bounded work', () => {
    const memory = { read: askForZeros, write: () => ++writes > 0 };
    let writes = 0;
    const device = new FwCfg({ memory, ramSize: 128 * MiB });
    device.dma.write(4, 4, 0);
    expect(writes).toBeLessThan(1100);
  });

  it('the high half counts for one transfer only', () => {
    const { device, transfer } = firmwareConfiguration();
    device.dma.write(0, 4, 0x0100_0000);
    device.dma.write(4, 4, 0);
    expect(transfer(SELECT_READ, 4, 0x200n)).toBe(0);
  });
});

/** A control structure that selects the signature and reads as much as there can be to address 0. */
function askForZeros(_gpa: number, target: Uint8Array): boolean {
  target.set([0, 0, 0, 0x0a, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
  return true;
}

it('e820 is twenty bytes a range, little-endian', () => {
  const map = e820([
    { start: 0, length: 3 * GiB, type: 'ram' },
    { start: 4 * GiB, length: 2 ** 40, type: 'reserved' },
  ]);
  const view = new DataView(map.buffer);
  const entry = (at: number) => [
    view.getBigUint64(at, true),
    view.getBigUint64(at + 8, true),
    view.getUint32(at + 16, true),
  ];
  expect(map.length).toBe(40);
  expect([entry(0), entry(20)]).toEqual([
    [0n, 0xc000_0000n, 1],
    [0x1_0000_0000n, 0x100_0000_0000n, 2],
  ]);
});

it('the boot order is a line a path and ends with a zero byte', () => {
  expect(text(bootOrder(['/a', '/b']))).toBe('/a\n/b\0');
});

it('numbers become bytes, lowest first, up to 2^53', () => {
  expect([...littleEndian(2 ** 53 - 1, 8)]).toEqual([255, 255, 255, 255, 255, 255, 31, 0]);
});

it('a reset selects the signature again and keeps the files', () => {
  const { device, read, item } = firmwareConfiguration();
  device.add('file', bytes('abc'));
  item(0x20, 1);
  device.reset();
  expect(text(read(4))).toBe('QEMU');
  expect(text(item(0x20, 3))).toBe('abc');
});
