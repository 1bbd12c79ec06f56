import { readFileSync } from 'node:fs';
import type { Form } from '../../../src/cpu/x86/assembler/form.ts';

/** What /proc/cpuinfo calls the extension that brought an instruction, by its name. */
const FEATURES: readonly (readonly [flag: string, mnemonics: RegExp])[] = [
  ['abm', /^lzcnt$/],
  ['bmi1', /^(tzcnt|andn|bextr|blsr|blsmsk|blsi)$/],
  ['bmi2', /^(bzhi|pdep|pext|mulx|rorx|sarx|shlx|shrx)$/],
  ['adx', /^ad[co]x$/],
  ['movbe', /^movbe$/],
  ['popcnt', /^popcnt$/],
  ['3dnowprefetch', /^prefetchw$/],
  ['lahf_lm', /^[ls]ahf$/],
  ['cx16', /^cmpxchg8b$/],
  ['pni', /^(addsubp[sd]|h(add|sub)p[sd]|movs[lh]dup|movddup|lddqu|fisttp)$/],
  ['ssse3', /^(pshufb|ph(add|sub)(w|d|sw)|pmaddubsw|psign[bwd]|pmulhrsw|pabs[bwd]|palignr)$/],
  [
    'sse4_1',
    /^(pblendvb|pblendw|blendv?p[sd]|ptest|pmov[sz]x..|pmuldq|pcmpeqq|movntdqa|packusdw|p(min|max)(sb|sd|uw|ud)|pmulld|phminposuw|round[ps][sd]|pextr[bd]|extractps|pinsr[bd]|insertps|dpp[sd]|mpsadbw)$/,
  ],
  ['sse4_2', /^(pcmpgtq|pcmp[ei]str[im]|crc32)$/],
  ['aes', /^aes/],
  ['pclmulqdq', /^pclmulqdq$/],
  ['sha_ni', /^sha\d/],
];

/** What /proc/cpuinfo says, or nothing where there is none. */
const information = (): string => {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    return '';
  }
};

const CPUINFO = information();
const HERE: ReadonlySet<string> = new Set(/^flags.*$/m.exec(CPUINFO)?.[0].split(' '));

/** Intel's processors since 2013 store neither selectors nor every pointer in x87 environments; AMD's do, and so do we. */
export const POINTERS_ALIKE: boolean = CPUINFO.includes('AuthenticAMD');

/** What this machine's processor does not have, or has otherwise: it is not compared. */
export const LEFT_OUT: readonly string[] = [
  ...FEATURES.flatMap(([flag]) => (HERE.has(flag) ? [] : [flag])),
  ...(POINTERS_ALIKE ? [] : ['pointers in x87 environments']),
];

export const isHere = ({ instruction: { mnemonic } }: Form): boolean =>
  FEATURES.every(([flag, mnemonics]) => HERE.has(flag) || !mnemonics.test(mnemonic));

/** For the name of a test. */
export const leftOut: string =
  LEFT_OUT.length === 0 ? '' : ` [left out, not on this processor: ${LEFT_OUT.join(', ')}]`;
