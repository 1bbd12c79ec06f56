import { expect, test } from 'vitest';
import { gpa, type Prot } from '../../memory/index.ts';
import { FlatMachine } from './flat-machine.ts';
import { IS_NIGHT } from '../../../test/night.ts';

/**
 * Random code that stores into its own page, on two machines: one decodes blocks and keeps them, the other's memory is
 * not executable for it, so that it fetches each instruction byte by byte and keeps nothing. After slices of random
 * length both must have the same registers, memory and count:
 *
 *     SKEP_SEED=… npx vitest run src/cpu/x86/self-modifying
 */
const SEED = Number(process.env['SKEP_SEED'] ?? Date.now() % 1_000_000);
const PROGRAMS = IS_NIGHT ? 500 : 25;
const ROUNDS = 30;
const LONGEST_STORE = 40;

const PAGE = FlatMachine.start;
const END = PAGE + 0x1000;
const ALIAS = 0x200_0000;

/** Numerical Recipes' linear congruential generator. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(count: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * count);
  }

  of<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('there is nothing to choose from');
    return choice;
  }
}

/** INC and DEC of EAX, ECX, EDX and EBX, and NOP: any of them may take the place of any other. */
const SMALL = [0x40, 0x41, 0x42, 0x43, 0x48, 0x49, 0x4a, 0x4b, 0x90] as const;
/** ADD, OR, ADC, SBB, SUB, XOR and CMP of EAX and 32 bits, MOV of EBX and 32 bits. */
const WITH_IMMEDIATE = [0x05, 0x0d, 0x15, 0x1d, 0x2d, 0x35, 0x3d, 0xbb] as const;
const JMP = 0xeb;
/** All Jcc of 8 bits but those on parity. */
const CONDITIONAL_JUMPS = [0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7c, 0x7d, 0x7e, 0x7f] as const;

const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** Bytes that may change: to a small instruction, or to anything. */
interface Patchable {
  readonly start: number;
  readonly length: number;
  readonly isSmall: boolean;
}

/** A program of one page that ends in the next one. */
class Program {
  readonly bytes: number[] = [];
  readonly #patchable: Patchable[] = [];
  /** Where the target of a store, and behind it what is stored, are still to be filled in. */
  readonly #stores: { readonly at: number; readonly length: number; readonly isRepeated: boolean }[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    // Room for the longest store.
    this.#addSmall(LONGEST_STORE);
    while (this.bytes.length < 0x1000 - 140) this.#addPart();
    while (this.bytes.length < 0xfff - random.below(4)) this.#emit(0x90);
    this.#addImmediate();
    // DEC EBP, JNZ to the start, HLT.
    this.#emit(0x4d, 0x0f, 0x85, ...dword(-(this.bytes.length + 7)), 0xf4);
    for (const store of this.#stores) this.#aim(store);
  }

  #emit(...bytes: readonly number[]): void {
    this.bytes.push(...bytes);
  }

  #allow(length: number, isSmall: boolean): void {
    this.#patchable.push({ start: PAGE + this.bytes.length, length, isSmall });
  }

  #addPart(): void {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return this.#addLong(1 + random.below(8));
      case 1:
        return this.#addStore();
      case 2:
        return this.#addRepeatedStore();
      case 3:
        return this.#addStack();
      case 4:
        return this.#addJump();
      case 5:
        return this.#addLong(8);
      default:
        return this.#addSmall(1 + random.below(40));
    }
  }

  #addSmall(length: number): void {
    this.#allow(length, true);
    for (let index = 0; index < length; index++) this.#emit(this.#random.of(SMALL));
  }

  /** Long instructions, by prefixes that mean nothing, so that blocks are long. */
  #addLong(count: number): void {
    for (let index = 0; index < count; index++) {
      this.#emit(...Array.from({ length: this.#random.below(11) }, () => 0x3e));
      this.#addImmediate();
    }
  }

  #addImmediate(): void {
    this.#emit(this.#random.of(WITH_IMMEDIATE));
    this.#allow(4, false);
    this.#emit(...dword(this.#random.below(2 ** 32)));
  }

  /** MOV of 1, 2 or 4 bytes to an address. */
  #addStore(): void {
    const length = this.#random.of([1, 2, 4]);
    this.#emit(...(length === 2 ? [0x66] : []), length === 1 ? 0xc6 : 0xc7, 0x05);
    this.#stores.push({ at: this.bytes.length, length, isRepeated: false });
    this.#emit(...Array.from({ length: 4 + length }, () => 0));
  }

  /** PUSH ECX, MOV ECX and EDI and EAX, REP STOSB, POP ECX. */
  #addRepeatedStore(): void {
    const length = 1 + this.#random.below(LONGEST_STORE);
    this.#emit(0x51, 0xb9, ...dword(length), 0xbf);
    this.#stores.push({ at: this.bytes.length, length, isRepeated: true });
    this.#emit(...dword(0), 0xb8, ...dword(0), 0xf3, 0xaa, 0x59);
  }

  /** PUSH EAX, POP EDX on a stack between the instructions, which a jump leads round. */
  #addStack(): void {
    const room = 4 + this.#random.below(60);
    this.#emit(JMP, room, ...Array.from({ length: room }, () => 0xcc));
    this.#emit(0x89, 0xe6, 0xbc, ...dword(PAGE + this.bytes.length), 0x50, 0x5a, 0x89, 0xf4);
  }

  /** Over the first of some small instructions: a store may hit some that were decoded and some that were not. */
  #addJump(): void {
    const length = this.#random.below(20);
    this.#emit(this.#random.below(2) === 0 ? JMP : this.#random.of(CONDITIONAL_JUMPS), length);
    this.#addSmall(length + this.#random.below(20));
  }

  /** Finds a target, seen directly or through the alias, and something harmless to store there. */
  #aim({ at, length, isRepeated }: { at: number; length: number; isRepeated: boolean }): void {
    const { start, isSmall, room } = this.target(length);
    const address = start + this.#random.below(room - length + 1) + this.#random.of([0, 0, 0, ALIAS]);
    const value = Array.from({ length: isRepeated ? 1 : length }, () => this.value(isSmall));
    this.bytes.splice(at, 4, ...dword(address));
    this.bytes.splice(isRepeated ? at + 5 : at + 4, value.length, ...value);
  }

  target(length: number): { start: number; isSmall: boolean; room: number } {
    const { start, isSmall, length: room } = this.#random.of(this.#patchable.filter((range) => range.length >= length));
    return { start, isSmall, room };
  }

  value(isSmall: boolean): number {
    return isSmall ? this.#random.of(SMALL) : this.#random.below(256);
  }
}

function machineWith(program: Program, prot: Prot): FlatMachine {
  const machine = new FlatMachine('nop');
  const ram = machine.memory.segment('ram');
  if (ram === undefined) throw new Error('the machine has no memory');
  machine.memory.unmap({ gpa: gpa(0), length: ram.length });
  machine.memory.map({ segment: ram, gpa: gpa(0), prot });
  machine.memory.map({ segment: ram, gpa: gpa(ALIAS), length: 0x10000, prot });
  machine.load(PAGE, program.bytes);
  machine.set({ rbp: ROUNDS });
  return machine;
}

const REGISTERS = ['rip', 'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'rflags'] as const;

const stateOf = (machine: FlatMachine): object => ({
  registers: Object.fromEntries(REGISTERS.map((name) => [name, machine.get(name).toString(16)])),
  instructions: machine.engine.instructions,
  memory: Buffer.from(machine.bytes.subarray(PAGE, END + 0x100)).toString('hex'),
});

test(`random self-modifying code does what it does instruction by instruction (SKEP_SEED=${SEED})`, () => {
  for (let number = 0; number < PROGRAMS; number++) {
    const random = new Random(SEED + number);
    const program = new Program(random);
    using cached = machineWith(program, 'rwx');
    using plain = machineWith(program, 'rw-');
    for (let exit = 'limit', slice = 0; exit === 'limit'; slice++) {
      exit = cached.run(1 + random.below(4000));
      plain.run(cached.engine.instructions - plain.engine.instructions);
      expect(stateOf(cached), `program ${number} of SKEP_SEED=${SEED}, slice ${slice}`).toEqual(stateOf(plain));
      // The host, too, changes code.
      const { start, isSmall } = program.target(1);
      const value = [program.value(isSmall)];
      for (const machine of [cached, plain]) machine.load(start, value);
      if (exit !== 'limit') expect(exit).toBe('halt');
    }
    expect(cached.get('rbp')).toBe(0);
  }
}, 300_000);
