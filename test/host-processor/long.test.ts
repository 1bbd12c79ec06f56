import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assemble } from '../../src/cpu/x86/assembler/index.ts';
import { EXTENSION_INSTRUCTIONS } from '../../src/cpu/x86/table/extension-instructions.ts';
import { FORMS, type Form, type OperandForm } from '../../src/cpu/x86/assembler/form.ts';
import { LongMachine } from '../../src/cpu/x86/long-machine.ts';
import { hostProcessorTests } from './availability.ts';
import { Random } from './random.ts';

const SEED = Number(process.env['SKEP_SEED'] ?? Date.now() % 1_000_000);
const BATCHES = Number(process.env['SKEP_LONG_BATCHES'] ?? 40);
const BATCH = 100;

/** Both processors have code here, and behind it a record before, one after and 64 bytes of data for each sequence. */
const CODE = 0x20_0000;
const RECORDS = 0x30_0000;
const RESULTS = 0x31_0000;
const DATA = 0x32_0000;
const END = 0x34_0000;
const RECORD = 256;

const NAMES: Readonly<Record<number, readonly string[]>> = {
  8: 'rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' '),
  4: 'eax ecx edx ebx ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d'.split(' '),
  2: 'ax cx dx bx bp si di r8w r9w r10w r11w r12w r13w r14w r15w'.split(' '),
  1: 'al cl dl bl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b'.split(' '),
};
const SIZE_WORDS: Readonly<Record<number, string>> = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' };

const SHIFTS = new Set('rol ror rcl rcr shl shr sar shld shrd'.split(' '));
const CHOSEN = new Set(
  (
    'mov add or adc sbb and sub xor cmp test inc dec not neg mul imul1 imul bswap movzx movsx movsxd cbw cwd xchg ' +
    'xadd cmpxchg setcc cmovcc bt bts btr btc popcnt lzcnt tzcnt andn bextr blsr blsmsk blsi bzhi pdep pext mulx rorx ' +
    'sarx shlx shrx adcx adox movbe_load movbe_store crc32 movnti rol ror rcl rcr shl shr sar shld shrd cmc clc stc ' +
    'lahf sahf'
  ).split(' '),
);
const NEEDED = ['bmi1', 'bmi2', 'adx', 'movbe', 'popcnt', 'abm', 'sse4_2', 'lahf_lm'];

const isPossible = ({ instruction, operands }: Form): boolean =>
  CHOSEN.has(instruction.handler) &&
  !instruction.traits.has('no64') &&
  operands.every(({ place, literal }) => 'EGIBMZ'.includes(place) || ['AL', 'rAX', 'CL', '1'].includes(literal));
const flagsOfHost =
  readFileSync('/proc/cpuinfo', 'latin1')
    .match(/^flags.*$/m)?.[0]
    .split(' ') ?? [];
/** All extensions, or none of them. */
const hasExtensions = NEEDED.every((flag) => flagsOfHost.includes(flag));
const POSSIBLE = FORMS.filter(
  (form) => isPossible(form) && (hasExtensions || !EXTENSION_INSTRUCTIONS.includes(form.instruction)),
);

const bitsOf = (letters: string): number =>
  Array.from(letters).reduce(
    (bits, letter) => bits | ({ c: 1, p: 4, a: 0x10, z: 0x40, s: 0x80, o: 0x800 }[letter] ?? 0),
    0,
  );

interface Sequence {
  readonly text: string;
  readonly ignored: number;
}

function sequence(random: Random, index: number): Sequence {
  const form = random.pick(POSSIBLE);
  const { mnemonic, handler, flags } = form.instruction;
  const size = random.pick([2, 4, 8, 8]);
  const wide = random.pick([4, 8]);
  const isShift = SHIFTS.has(handler);
  const bytes = ({ width }: OperandForm): number =>
    ({ b: 1, w: 2, d: 4, v: size, y: wide, z: Math.min(size, 4) })[width as string] ?? size;
  const isMemory = random.once(2);
  const count = random.below(70);
  const operands = form.operands.map((operand) => {
    const { place, literal } = operand;
    if (literal === 'rAX') return NAMES[size]?.[0] ?? '';
    if (place === 'literal') return literal.toLowerCase();
    if (place === 'I') {
      if (isShift || handler === 'rorx') return String(count);
      return operand.width === 'bs' || operand.width === 'b' ? `${random.below(128)}` : `${random.below(2 ** 15)}`;
    }
    if (place === 'M' || (place === 'E' && isMemory))
      return `${SIZE_WORDS[bytes(operand)]} [${DATA + 64 * index + 24}]`;
    return random.pick(NAMES[bytes(operand)] ?? []);
  });
  // A bit offset in a register reaches far beyond a memory operand, and a double shift of 16 bits has undefined results.
  const isWild = handler.startsWith('bt') && isMemory && form.operands[1]?.place === 'G';
  const isLost = (handler === 'shld' || handler === 'shrd') && size === 2;
  if (isWild || isLost) return sequence(random, index);
  const plain = form.operands.length === 0 || operands.every((operand) => operand !== '');
  const sized = handler === 'cbw' ? ['cbw', 'cwde', 'cdqe'] : handler === 'cwd' ? ['cwd', 'cdq', 'cqo'] : [mnemonic];
  const name = sized.length > 1 ? random.pick(sized) : mnemonic;
  const undefinedFlags = bitsOf(flags.undefined) | (isShift ? bitsOf('oac') : 0);
  return { text: plain ? `${name} ${operands.join(', ')}` : name, ignored: undefinedFlags };
}

/** Code that loads each record, executes its sequence and stores what became of it. */
function program(sequences: readonly Sequence[]): Uint8Array {
  const saved = ['rbx', 'rbp', 'r12', 'r13', 'r14', 'r15'];
  const registers = NAMES[8] ?? [];
  const lines = saved.map((name) => `push ${name}`);
  for (const [index, { text }] of sequences.entries()) {
    const [before, after] = [RECORDS + RECORD * index, RESULTS + RECORD * index];
    lines.push(`push qword [${before + 128}]`, 'popfq');
    for (const [number, name] of registers.entries()) lines.push(`mov ${name}, [${before + 8 * number}]`);
    lines.push(text);
    for (const [number, name] of registers.entries()) lines.push(`mov [${after + 8 * number}], ${name}`);
    lines.push('pushfq', `pop qword [${after + 128}]`);
  }
  lines.push('cld', ...[...saved].reverse().map((name) => `pop ${name}`), 'ret');
  return assemble(lines.join('\n'), { bits: 64, origin: CODE }).bytes;
}

function batch(random: Random): { bytes: Uint8Array; sequences: Sequence[] } {
  const bytes = new Uint8Array(END - CODE);
  const sequences = Array.from({ length: BATCH }, (_, index) => sequence(random, index));
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < BATCH; index++) {
    for (let number = 0; number < 15; number++) {
      const value = random.once(3)
        ? BigInt(random.below(256))
        : (BigInt(random.value()) << 32n) | BigInt(random.value() >>> 0);
      view.setBigUint64(RECORDS - CODE + RECORD * index + 8 * number, BigInt.asUintN(64, value), true);
    }
    view.setBigUint64(RECORDS - CODE + RECORD * index + 128, BigInt((random.bits() & 0x8d5) | 0x202), true);
    for (let at = 0; at < 64; at += 4) view.setUint32(DATA - CODE + 64 * index + at, random.value(), true);
  }
  bytes.set(program(sequences), 0);
  return { bytes, sequences };
}

function difference(sequences: readonly Sequence[], ours: Uint8Array, theirs: Uint8Array): string {
  const [a, b] = [ours, theirs].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  for (const [index, { text, ignored }] of sequences.entries()) {
    for (let number = 0; number <= 16; number++) {
      if (number === 15) continue;
      const at = RESULTS - CODE + RECORD * index + 8 * number;
      const mask = number === 16 ? BigInt(0x8d5 & ~ignored) : 0xffff_ffff_ffff_ffffn;
      const [our, their] = [a?.getBigUint64(at, true) ?? 0n, b?.getBigUint64(at, true) ?? 0n];
      const name = number === 16 ? 'flags' : NAMES[8]?.[number];
      if ((our & mask) !== (their & mask))
        return `${text}: ${name} 0x${our.toString(16)} instead of 0x${their.toString(16)}`;
    }
    for (let at = DATA - CODE + 64 * index; at < DATA - CODE + 64 * index + 64; at++)
      if (ours[at] !== theirs[at]) return `${text}: data at ${at & 63}`;
  }
  return '';
}

hostProcessorTests(`the engine and this machine's processor agree on 64-bit code (SKEP_SEED=${SEED})`, () => {
  test(`on registers, flags and memory after ${BATCHES * BATCH} random instructions`, async () => {
    const [{ mapAt }, { default: koffi }] = await Promise.all([import('./host-processor.ts'), import('koffi')]);
    const theirs = mapAt(CODE, END - CODE);
    const entry = koffi.proto('int LongBatch()');
    using machine = new LongMachine();
    const random = new Random(SEED);
    const found: string[] = [];
    for (let number = 0; number < BATCHES && found.length < 10; number++) {
      const { bytes, sequences } = batch(random);
      theirs.set(bytes);
      koffi.call(BigInt(CODE), entry);
      machine.enter(0);
      machine.load(CODE, bytes);
      machine.load(LongMachine.start, [0xb8, 0, 0, 0x20, 0, 0xff, 0xd0, 0xf4]);
      expect([machine.run(1_000_000), machine.delivered()]).toEqual(['halt', undefined]);
      const what = difference(sequences, machine.bytes.subarray(CODE, END), theirs);
      if (what !== '') found.push(what);
    }
    expect(found).toEqual([]);
  }, 60_000);
});
