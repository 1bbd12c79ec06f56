import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { Lifetimes } from '../../src/base/disposable.ts';
import { GiB, KiB, MiB } from '../../src/base/units.ts';
import { MachineNodes } from '../../src/host/machine-nodes.ts';
import type { MemfdArenaStore } from '../../src/host/memfd-arena-store.ts';
import { gpa, GuestMemory, type Segment, type Window } from '../../src/memory/index.ts';
import { hostTest } from './host-needs.ts';
import { openMemfds, temporaryFolder } from './process-facts.ts';
import { Program } from './program.ts';

const folder = temporaryFolder();
const RAM_LENGTH = 2 * MiB;
const FRAMEBUFFER_LENGTH = 256 * KiB;
const ROM_LENGTH = 64 * KiB;

/** A machine's memory: RAM below and above 4 GiB, a boot ROM that the guest cannot write, a framebuffer on a window. */
class Memory implements Disposable {
  readonly memory: GuestMemory;
  readonly store: MemfdArenaStore;
  readonly ram: Segment;
  readonly rom: Segment;
  readonly framebuffer: Segment;
  readonly window: Window;
  readonly #lifetimes: Lifetimes = new Lifetimes();

  constructor(name = 'vm') {
    const nodes = this.#lifetimes.own(new MachineNodes({ name, folder }));
    this.store = this.#lifetimes.own(nodes.arenaStore({ capacity: 64 * MiB }));
    this.memory = this.#lifetimes.own(new GuestMemory({ store: this.store }));
    const layout = [
      { offset: 0, length: MiB, gpa: 0 },
      { offset: MiB, length: MiB, gpa: 4 * GiB },
    ];
    this.ram = this.memory.createSegment({ name: 'ram', kind: 'sysmem', length: RAM_LENGTH, layout });
    for (const { offset, length, gpa: start } of layout) {
      this.memory.map({ segment: this.ram, gpa: gpa(start), offset, length, prot: 'rwx' });
    }
    this.rom = this.memory.createSegment({ name: 'bootrom', kind: 'devmem', length: ROM_LENGTH });
    this.memory.map({ segment: this.rom, gpa: gpa(4 * GiB - ROM_LENGTH), prot: 'r-x' });
    this.framebuffer = this.memory.createSegment({ name: 'framebuffer', kind: 'devmem', length: FRAMEBUFFER_LENGTH });
    this.window = this.memory.window(this.framebuffer, { prot: 'rw-' });
  }

  /** What the guest reads at an address. */
  read(address: number, length: number): string {
    const bytes = new Uint8Array(length);
    return this.memory.read(gpa(address), bytes) ? Buffer.from(bytes).toString('hex') : 'nothing';
  }

  /** As the guest writes. */
  write(address: number, text: string): boolean {
    return this.memory.write(gpa(address), Buffer.from(text, 'hex'));
  }

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }
}

const node = (name: string): string => join(folder, name);
const python = (): Program => new Program('python3', [join(import.meta.dirname, 'mapper.py')]);

describe("Python's mmap", () => {
  hostTest('sees at once what the guest writes, and the guest what it writes', ['nodes', 'python3'], async () => {
    using vm = new Memory();
    vm.window.moveTo(gpa(0xe000_0000));
    using mapper = python();
    expect(await mapper.ask(`map fb ${node('vm.framebuffer')} ${FRAMEBUFFER_LENGTH} 0 w`)).toBe('ok');
    expect(vm.write(0xe000_1000, 'c0ffee')).toBe(true);
    expect(await mapper.ask('read fb 4096 3')).toBe('c0ffee');
    expect(await mapper.ask(`write fb ${FRAMEBUFFER_LENGTH - 2} beef`)).toBe('ok');
    expect(vm.read(0xe000_0000 + FRAMEBUFFER_LENGTH - 2, 2)).toBe('beef');
    expect([...vm.framebuffer.bytes.subarray(-2)]).toEqual([0xbe, 0xef]);
  });

  hostTest('finds RAM at its GPA, on both sides of the hole', ['nodes', 'python3'], async () => {
    using vm = new Memory();
    using mapper = python();
    expect(await mapper.ask(`map low ${node('vm')} ${MiB} 0 w`)).toBe('ok');
    expect(await mapper.ask(`map high ${node('vm')} ${MiB} ${4 * GiB} w`)).toBe('ok');
    vm.write(0x7c00, 'aa55');
    vm.write(4 * GiB + 0x7c00, '1234');
    expect([await mapper.ask('read low 31744 2'), await mapper.ask('read high 31744 2')]).toEqual(['aa55', '1234']);
    await mapper.ask(`write high ${MiB - 1} 99`);
    expect([vm.read(4 * GiB + MiB - 1, 1), vm.ram.bytes[RAM_LENGTH - 1]]).toEqual(['99', 0x99]);
  });

  hostTest('may write a ROM, which the guest may not', ['nodes', 'python3'], async () => {
    using vm = new Memory();
    using mapper = python();
    await mapper.ask(`map rom ${node('vm.bootrom')} ${ROM_LENGTH} 0 w`);
    await mapper.ask(`write rom ${ROM_LENGTH - 16} ea5be000f0`);
    expect(vm.read(0xffff_fff0, 5)).toBe('ea5be000f0');
    expect(vm.write(0xffff_fff0, '00')).toBe(false);
  });

  // spec illumos auto_destruct: usr/src/test/bhyve-tests/tests/vmm/auto_destruct.c
  hostTest(
    'keeps its mapping while the guest moves the window, hides it, the machine is reset, and ends',
    ['nodes', 'python3'],
    async () => {
      const vm = new Memory();
      using mapper = python();
      await mapper.ask(`map fb ${node('vm.framebuffer')} ${FRAMEBUFFER_LENGTH} 0 w`);
      await mapper.ask(`map ram ${node('vm')} ${MiB} 0 r`);
      const see = (): Promise<string> => mapper.ask('read fb 0 2');
      vm.window.moveTo(gpa(0xe000_0000));
      vm.write(0xe000_0000, '0001');
      expect(await see()).toBe('0001');
      vm.window.moveTo(gpa(0xf000_0000));
      vm.write(0xf000_0000, '0002');
      expect(await see()).toBe('0002');
      vm.window.hide();
      vm.framebuffer.write(0, Uint8Array.of(0, 3));
      expect(await see()).toBe('0003');
      await mapper.ask('write fb 0 0004');
      vm.memory.reset();
      vm.window.moveTo(gpa(0xe000_0000));
      expect(vm.read(0xe000_0000, 2)).toBe('0004');
      vm.write(0x1000, 'cafe');
      vm[Symbol.dispose]();
      // The machine is gone, and so are its nodes; the bytes are the mapper's now.
      expect(openMemfds()).toEqual([]);
      expect(await see()).toBe('0004');
      expect(await mapper.ask('read ram 4096 2')).toBe('cafe');
      expect(await mapper.ask('write fb 0 0005')).toBe('ok');
      expect(await see()).toBe('0005');
      expect(await mapper.ask(`open ${node('vm.framebuffer')} r`)).toBe('errno 2 No such file or directory');
    },
  );

  hostTest("of the next machine of the name does not show the last one's bytes", ['nodes', 'python3'], async () => {
    using mapper = python();
    {
      using vm = new Memory();
      vm.framebuffer.bytes.fill(1);
      await mapper.ask(`map old ${node('vm.framebuffer')} ${FRAMEBUFFER_LENGTH} 0 w`);
    }
    using vm = new Memory();
    await mapper.ask(`map new ${node('vm.framebuffer')} ${FRAMEBUFFER_LENGTH} 0 w`);
    expect([await mapper.ask('sum old'), await mapper.ask('sum new')]).toEqual([String(FRAMEBUFFER_LENGTH), '0']);
    await mapper.ask('fill old 7');
    expect(vm.framebuffer.bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('what other programs may not do gets the error of the kernel, and the machine does not notice:', () => {
  const refusals: readonly [string, (path: string) => string, string][] = [
    ['truncating', (path) => `truncate ${path} 0`, 'errno 1 Operation not permitted'],
    [
      'shrinking by a page',
      (path) => `truncate ${path} ${FRAMEBUFFER_LENGTH - 4096}`,
      'errno 1 Operation not permitted',
    ],
    ['growing', (path) => `truncate ${path} ${FRAMEBUFFER_LENGTH + 4096}`, 'errno 1 Operation not permitted'],
    ['opening to truncate', (path) => `open ${path} truncate`, 'errno 1 Operation not permitted'],
    ['writing through a file opened to read', (path) => `map x ${path} 4096 0 forced`, 'errno 13 Permission denied'],
  ];
  for (const [what, command, answer] of refusals) {
    hostTest(what, ['nodes', 'python3'], async () => {
      using vm = new Memory();
      vm.window.moveTo(gpa(0xe000_0000));
      vm.framebuffer.bytes.fill(0x5a);
      using mapper = python();
      expect(await mapper.ask(command(node('vm.framebuffer')))).toBe(answer);
      expect(vm.framebuffer.bytes.every((byte) => byte === 0x5a)).toBe(true);
      expect(vm.write(0xe000_0000 + FRAMEBUFFER_LENGTH - 1, 'ff')).toBe(true);
    });
  }

  hostTest(
    "another user's open, to read or to write, by the node or by the way it leads",
    ['nodes', 'python3', 'root'],
    async () => {
      using vm = new Memory();
      vm.framebuffer.bytes.fill(0x5a);
      const file = `/proc/${process.pid}/fd`;
      using mapper = python();
      expect(await mapper.ask('user 65534')).toBe('ok');
      for (const access of ['r', 'w']) {
        expect(await mapper.ask(`open ${node('vm.framebuffer')} ${access}`)).toBe('errno 13 Permission denied');
        expect(await mapper.ask(`open ${file}/3 ${access}`)).toBe('errno 13 Permission denied');
      }
      expect(vm.framebuffer.bytes.every((byte) => byte === 0x5a)).toBe(true);
    },
  );
});

describe('dd', () => {
  const dd = (...operands: string[]): { status: number | null; stderr: string; stdout: Buffer } => {
    const { status, stderr, stdout } = spawnSync('dd', [...operands, 'status=none'], { input: Buffer.from('skep') });
    return { status, stderr: String(stderr), stdout };
  };

  hostTest('reads a segment through its node, and RAM at a GPA above 4 GiB', ['nodes', 'dd'], () => {
    using vm = new Memory();
    vm.framebuffer.bytes.fill(3);
    expect(dd(`if=${node('vm.framebuffer')}`, 'bs=64k').stdout.equals(Buffer.alloc(FRAMEBUFFER_LENGTH, 3))).toBe(true);
    vm.write(4 * GiB + 0x2000, 'deadbeef');
    const { stdout } = dd(`if=${node('vm')}`, 'bs=4096', `skip=${(4 * GiB + 0x2000) / 4096}`, 'count=1');
    expect(stdout.subarray(0, 4).toString('hex')).toBe('deadbeef');
  });

  hostTest('reads zeros where there is no RAM, and an end where it ends', ['nodes', 'dd'], () => {
    using _vm = new Memory();
    const read = (page: number): Buffer => dd(`if=${node('vm')}`, 'bs=4096', `skip=${page}`, 'count=1').stdout;
    expect(read((2 * MiB) / 4096).equals(Buffer.alloc(4096))).toBe(true);
    expect(read((4 * GiB + MiB) / 4096).length).toBe(0);
  });

  hostTest('writes where the guest reads', ['nodes', 'dd'], () => {
    using vm = new Memory();
    vm.window.moveTo(gpa(0xe000_0000));
    expect(dd(`of=${node('vm.framebuffer')}`, 'conv=notrunc', 'bs=1', 'seek=100', 'count=4').status).toBe(0);
    expect(vm.read(0xe000_0064, 4)).toBe(Buffer.from('skep').toString('hex'));
  });

  hostTest('that would truncate, or write past the end, fails', ['nodes', 'dd'], () => {
    using vm = new Memory();
    vm.framebuffer.bytes.fill(3);
    const truncating = dd(`of=${node('vm.framebuffer')}`);
    expect([truncating.status, truncating.stderr]).toEqual([1, expect.stringContaining('Operation not permitted')]);
    const past = dd(`of=${node('vm.framebuffer')}`, 'conv=notrunc', 'bs=4', `seek=${FRAMEBUFFER_LENGTH / 4}`);
    expect([past.status, past.stderr]).toEqual([1, expect.stringContaining('Operation not permitted')]);
    expect(vm.framebuffer.bytes.every((byte) => byte === 3)).toBe(true);
  });
});

describe('a C program', () => {
  const program = join(folder, 'mapper');
  beforeAll(() => {
    spawnSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'mapper.c')]);
  });

  hostTest("counts in the guest's memory, and the guest counts with it", ['nodes', 'cc'], async () => {
    using vm = new Memory();
    vm.window.moveTo(gpa(0xe000_0000));
    using counter = new Program(program, [node('vm.framebuffer')]);
    const words = new Uint32Array(vm.framebuffer.bytes.buffer, vm.framebuffer.bytes.byteOffset, FRAMEBUFFER_LENGTH / 4);
    for (let turn = 0; turn < 50; turn++) {
      expect(await counter.ask('1000')).toBe(String(2 * turn));
      expect(words[1000]).toBe(2 * turn + 1);
      words.set([2 * turn + 2], 1000);
    }
    expect(vm.read(0xe000_0000 + 4000, 4)).toBe('64000000');
  });
});

describe('two programs at the same time', () => {
  hostTest('see the same bytes as the guest does, whoever writes', ['nodes', 'python3'], async () => {
    using vm = new Memory();
    vm.window.moveTo(gpa(0xe000_0000));
    using first = python();
    using second = python();
    for (const mapper of [first, second])
      await mapper.ask(`map fb ${node('vm.framebuffer')} ${FRAMEBUFFER_LENGTH} 0 w`);
    await first.ask('write fb 10 01');
    await second.ask('write fb 11 02');
    vm.write(0xe000_000c, '03');
    for (const mapper of [first, second]) expect(await mapper.ask('read fb 10 3')).toBe('010203');
    expect(vm.read(0xe000_000a, 3)).toBe('010203');
    expect(await first.close()).toBe('0');
    expect(await second.ask('read fb 10 3')).toBe('010203');
  });

  hostTest(
    'write all of it at once, while the window moves, and every byte arrives',
    ['nodes', 'python3'],
    async () => {
      using vm = new Memory();
      using first = python();
      using second = python();
      const half = FRAMEBUFFER_LENGTH / 2;
      await first.ask(`map half ${node('vm.framebuffer')} ${half} 0 w`);
      await second.ask(`map half ${node('vm.framebuffer')} ${half} ${half} w`);
      for (let round = 1; round <= 40; round++) {
        const filled = Promise.all([first.ask(`fill half ${round}`), second.ask(`fill half ${100 + round}`)]);
        for (let move = 0; move < 8; move++) vm.window.moveTo(gpa(0xe000_0000 + ((round + move) % 16) * MiB));
        expect(await filled).toEqual(['ok', 'ok']);
        const { bytes } = vm.framebuffer;
        expect([bytes.indexOf(100 + round), bytes.lastIndexOf(round)]).toEqual([half, half - 1]);
        expect(bytes.subarray(0, half).every((byte) => byte === round)).toBe(true);
        expect(vm.read(vm.window.gpa! + half - 1, 2)).toBe(Buffer.of(round, 100 + round).toString('hex'));
      }
    },
  );
});

hostTest('whoever copies the node as a file gets all of the segment', ['nodes'], () => {
  using vm = new Memory();
  for (let page = 0; page < FRAMEBUFFER_LENGTH; page += 4096) vm.framebuffer.bytes.fill(page / 4096, page, page + 4096);
  expect(readFileSync(node('vm.framebuffer')).equals(vm.framebuffer.bytes)).toBe(true);
});
