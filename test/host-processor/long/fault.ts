import { little, set } from '../code.ts';
import type { Setting } from './encoding.ts';
import { plain, type Group } from '../group.ts';
import { PAGE } from './layout.ts';

const hex = (text: string): number[] => text.split(' ').map((byte) => Number.parseInt(byte, 16));

/** Opcodes that do not exist, or not in 64-bit mode, and prefixes where they may not be: #UD. */
const UNDEFINED: readonly (readonly number[])[] = [
  ...'06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 ce d6'.split(' ').map(hex),
  ...['62 c0', '82 c0 01', '9a 0 0 0 0 0 0', 'd4 0a', 'd5 0a', 'ea 0 0 0 0 0 0'].map(hex),
  ...['0f 0b', '0f ff c0', '0f b9 c0', '0f aa', '0f 04', '0f 24 c0', '0f 36', '0f a6 c0', '0f c7 c8'].map(hex),
  ...['f0 90', 'f0 01 c0', 'f0 8b 00', 'f0 39 00', 'f0 d1 20', 'f0 0f a3 00', 'f0 0f af 00', 'f0 c3'].map(hex),
  ...['8c f0', '8c f8', '8e c8', 'fe d0', 'ff f8', 'c6 c8 00', 'c7 c8 0 0 0 0', '8d c0'].map(hex),
  // ANDN behind 66, F2, F3, F0 and REX, with VEX.L, with a vvvv that BLSR's cousins do not have, and maps without it.
  ...['66', 'f2', 'f3', 'f0', '48'].map((prefix) => hex(`${prefix} c4 e2 78 f2 c0`)),
  ...['c4 e2 7c f2 c0', 'c4 e2 78 f3 c0', 'c4 e2 78 f3 e0', 'c4 e0 78 f2 c0', 'c4 e2 7a f2 c0'].map(hex),
  ...['0f 38 0c c0', '0f 3a 0c c0 00', '66 0f 38 0f c0', '0f 71 c0 00'].map(hex),
  ...['d9 d1', 'd9 e2', 'd9 ef', 'da e0', 'db f8', 'dd f0', 'de d8', 'df e1', 'df f8', 'db 20', 'd9 08'].map(hex),
];

/** What a process may not do: #GP(0), or with the number of the interrupt. */
const PRIVILEGED: readonly (readonly number[])[] = [
  ...'f4 fa fb ec ed ee ef 6c 6d 6e 6f'.split(' ').map(hex),
  ...['e4 60', 'e5 60', 'e6 60', 'e7 60', '0f 06', '0f 08', '0f 09', '0f 30', '0f 32'].map(hex),
  ...['0f 20 c0', '0f 22 c0', '0f 21 c0', '0f 23 c0', '44 0f 20 c0', '0f 01 f8'].map(hex),
  ...['0f 01 14 24', '0f 01 1c 24', '0f 01 34 24', '0f 01 3c 24', '0f 00 d0', '0f 00 d8'].map(hex),
  ...['cd 00', 'cd 0d', 'cd 21', 'cd ff', 'cc'].map(hex),
  // Longer than 15 bytes.
  ...['66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90', '2e 2e 2e 2e 2e 48 81 84 80 0 0 0 0 0 0 0 0'].map(hex),
];

const NOT_CANONICAL = [0x8000_0000_0100n, 0xffff_7fff_ffff_ff00n, 0x1234_5678_9abc_def0n];

/** Accesses by RAX, RSP and RBP that are not canonical: #GP(0), or #SS(0) by the latter two. */
const ACCESSES: readonly (readonly [register: number, accesses: readonly (readonly number[])[]])[] = [
  [0, ['8b 00', '48 89 00', '48 01 00', '0f 10 00', 'dd 00', '48 ff 30', '48 8f 00', '0f ae 10', '0f 11 00'].map(hex)],
  [4, ['48 8b 04 24', '50', '58', '9c', 'c3', 'c8 10 00 00', 'dd 1c 24'].map(hex)],
  [5, ['48 8b 45 00', 'c9', '48 89 45 08', 'db 6d 10'].map(hex)],
];

function notCanonical({ random }: Setting): Group {
  const [register, accesses] = random.pick(ACCESSES);
  return plain([...set(register, random.pick(NOT_CANONICAL)), ...random.pick(accesses)]);
}

/** A stack that is not there. */
function noStack({ random, page }: Setting): Group {
  const rsp = page + PAGE + 0x800 + random.below(9);
  return plain([
    ...set(4, rsp),
    ...random.pick([[0x50], [0x9c], [0x58], [0xc3], [0xe8, ...little(0, 4)], [0xc8, 0x10, 0, 0]]),
  ]);
}

/** Something that ends the sequence with an exception. */
export function faultGroup(setting: Setting): Group {
  const { random } = setting;
  const kind = random.below(4);
  if (kind === 0) return notCanonical(setting);
  if (kind === 1) return noStack(setting);
  return plain(random.pick(kind === 2 ? UNDEFINED : PRIVILEGED));
}
