import { gpa, type GuestMemory } from '../../memory/index.ts';
import type { Engine, EngineHost } from '../engine.ts';
import { bootImage, RESET_VECTOR } from './boot.ts';
import { caseCode, codeBits, undefinedFlags, type Case, type CaseCode, type Mode } from './case.ts';
import {
  BOOT,
  CODE,
  DATA,
  EXIT_PORT,
  HANDLERS,
  OBSERVED_END,
  OBSERVED_START,
  PAGE_DIRECTORY,
  RAM_LENGTH,
} from './layout.ts';
import {
  DEFAULT_REGISTERS,
  FLAG_BITS,
  GENERAL_REGISTERS,
  initialMemory,
  putMemory,
  visibleState,
  type VisibleState,
} from './visible-state.ts';

/** An engine with the guest memory that it runs on, still without mappings. */
export interface EngineSetUp {
  readonly engine: Engine;
  readonly memory: GuestMemory;
}

/** What makes an engine that is to pass the suite. */
export type EngineFactory = (host: EngineHost) => EngineSetUp;

const LIMIT = 100_000;
const RESET_PAGE = 0xffff_f000;

/** Errors that these exceptions push in protected mode (SDM volume 3, table 6-1). */
const WITH_ERROR: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

/** What was pushed for an exception, and where the stack was before. */
interface Frame {
  readonly error: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly esp: number;
  /** Bytes of the observed stack that the frame takes. */
  readonly start: number;
  readonly end: number;
}

/** Runs cases on an engine, one after the other, each from reset. */
export class TestMachine {
  readonly #engine: Engine;
  readonly #memory: GuestMemory;

  constructor(factory: EngineFactory) {
    const { engine, memory } = factory({
      portRead: (port, size) => (port * 0x0101_0101 + size) >>> 0,
      portWrite: (port) => {
        if (port === EXIT_PORT) this.#engine.requestExit();
      },
      mmioRead: () => 0xffff_ffff,
      mmioWrite: () => {},
      acknowledgeInterrupt: () => 0x20,
      timestamp: () => 0x1_2345_6789,
    });
    this.#engine = engine;
    this.#memory = memory;
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: RAM_LENGTH });
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    const rom = memory.createSegment({ name: 'rom', kind: 'devmem', length: 0x1000 });
    rom.write(0xff0, RESET_VECTOR);
    memory.map({ segment: rom, gpa: gpa(RESET_PAGE), prot: 'r-x' });
  }

  /** What is otherwise than the case says, in words; nothing when it passes. */
  differences([source, beforeText, afterText]: Case, mode: Mode): string[] {
    const code = caseCode(source, codeBits(mode));
    const before = visibleState(beforeText, DEFAULT_REGISTERS);
    const after = visibleState(afterText, before.registers);
    this.#boot(mode);
    this.#load(code, before);
    const exit = this.#engine.run(this.#engine.instructions + LIMIT);
    const ignored = after.ignoredFlags | undefinedFlags(code.rows);
    if (after.exit !== undefined) return exit === after.exit ? [] : [`exit ${exit} instead of ${after.exit}`];
    if (exit !== 'request') return [`exit ${exit} at 0x${this.#register('rip').toString(16)}`];
    return this.#compare(mode, code, before, after, ignored);
  }

  #boot(mode: Mode): void {
    this.#memory.write(gpa(0), imageOf(mode));
    this.#engine.reset();
    const exit = this.#engine.run(this.#engine.instructions + LIMIT);
    const ip = this.#register('rip');
    if (exit !== 'request' || ip < BOOT || ip >= PAGE_DIRECTORY) throw new Error(`${mode} mode: ${exit} at ${hex(ip)}`);
  }

  #load(code: CaseCode, before: VisibleState): void {
    this.#memory.write(gpa(CODE), code.bytes);
    this.#memory.write(gpa(OBSERVED_START), initialMemory(OBSERVED_START, OBSERVED_END, before));
    for (const [name, value] of before.registers) this.#engine.setRegister(nameOf(name), BigInt(value));
    const kept = this.#register('rflags') & KEPT_FLAGS;
    this.#engine.setRegister('rflags', BigInt(kept | (before.flags ?? 0) | 2));
    this.#engine.setRegister('rip', BigInt(CODE));
  }

  #compare(mode: Mode, code: CaseCode, before: VisibleState, after: VisibleState, ignoredFlags: number): string[] {
    const found: string[] = [];
    const expect = (what: string, value: number | undefined, wanted: number | undefined): void => {
      if (value !== wanted) found.push(`${what} ${hex(value)} instead of ${hex(wanted)}`);
    };
    const ip = this.#register('rip');
    const vector = ip >= HANDLERS && ip < HANDLERS + 0x400 ? (ip - 2 - HANDLERS) / 4 : undefined;
    const frame = vector === undefined ? undefined : this.#frame(mode, vector, after.delivery?.error !== undefined);
    expect('exception', vector, after.delivery?.vector);
    if (after.delivery !== undefined && frame !== undefined && mode !== 'real')
      expect('error code', frame.error, after.delivery.error);
    if (after.delivery === undefined && vector === undefined) expect('eip', ip, code.end);
    if (frame !== undefined) expect('saved eip', frame.ip, code.at);
    for (const [name, value] of after.registers)
      expect(name, name === 'esp' && frame !== undefined ? frame.esp : this.#register(nameOf(name)), value);
    const flags = (frame?.flags ?? this.#register('rflags')) & COMPARED_FLAGS & ~ignoredFlags;
    const wanted = (after.flags ?? before.flags ?? 0) & COMPARED_FLAGS & ~ignoredFlags;
    if (flags !== wanted) found.push(`flags ${letters(flags)} instead of ${letters(wanted)}`);
    return [...found, ...this.#memoryDifferences(before, after, frame)];
  }

  #memoryDifferences(before: VisibleState, after: VisibleState, frame: Frame | undefined): string[] {
    const actual = new Uint8Array(OBSERVED_END - OBSERVED_START);
    this.#memory.read(gpa(OBSERVED_START), actual);
    const wanted = initialMemory(OBSERVED_START, OBSERVED_END, before);
    putMemory(wanted, OBSERVED_START, after);
    if (frame !== undefined)
      wanted.set(
        actual.subarray(frame.start - OBSERVED_START, frame.end - OBSERVED_START),
        frame.start - OBSERVED_START,
      );
    const index = actual.findIndex((byte, at) => byte !== wanted[at]);
    if (index < 0) return [];
    const address = OBSERVED_START + index;
    const place = address < DATA ? hex(address) : `data+${address - DATA}`;
    const text = (bytes: Uint8Array): string =>
      Array.from(bytes.subarray(index, index + 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [`[${place}] ${text(actual)} instead of ${text(wanted)}`];
  }

  /** The exception's frame: 16-bit in real mode, else 32-bit; with the outer stack when the level changed. */
  #frame(mode: Mode, vector: number, wantsError: boolean): Frame {
    const esp = this.#register('rsp');
    const size = mode === 'real' ? 2 : 4;
    const start = mode === 'real' || mode === 'protected16' ? esp & 0xffff : esp;
    const hasError = mode !== 'real' && WITH_ERROR.has(vector) && wantsError;
    const at = (index: number): number => this.#number(start + size * (index + (hasError ? 1 : 0)), size);
    const own = start + size * (hasError ? 4 : 3);
    const outer = !['real', 'protected', 'protected16', 'paged'].includes(mode);
    const error = hasError ? this.#number(start, size) : undefined;
    const before = { error, ip: at(0), flags: at(2) };
    if (outer) return { ...before, esp: at(3), start: OBSERVED_START, end: OBSERVED_START };
    return { ...before, esp: (esp & ~0xffff) | (own & 0xffff), start, end: own };
  }

  #number(address: number, size: number): number {
    const bytes = new Uint8Array(4);
    this.#memory.read(gpa(address), bytes.subarray(0, size));
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  #register(name: string): number {
    return Number(BigInt.asUintN(32, this.#engine.register(name)));
  }
}

const IMAGES = new Map<Mode, Uint8Array>();

function imageOf(mode: Mode): Uint8Array {
  const image = IMAGES.get(mode) ?? bootImage(mode);
  IMAGES.set(mode, image);
  return image;
}

/** VM and IOPL stay as the boot code leaves them. */
const KEPT_FLAGS = 0x2_3000;
const COMPARED_FLAGS = Object.values(FLAG_BITS).reduce((bits, bit) => bits | bit, 0);

/** Engines name registers by their 64-bit names. */
const nameOf = (name: string): string =>
  (GENERAL_REGISTERS as readonly string[]).includes(name) ? `r${name.slice(1)}` : name;

const hex = (value: number | undefined): string => (value === undefined ? 'none' : `0x${value.toString(16)}`);

const letters = (flags: number): string =>
  Object.entries(FLAG_BITS)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([letter]) => letter)
    .join('') || 'none';
