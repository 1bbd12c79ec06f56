import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { stockPath, type StockFile } from '../stock-guest.ts';
import { openLibc } from '../../src/host/libc.ts';

/** What tests of device nodes may need of the host, and why they do not have it. */
const NEEDS = {
  nodes: () => {
    try {
      openLibc();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  },
  root: () => (process.geteuid?.() === 0 ? undefined : 'not run by root'),
  python3: () => program('python3'),
  cc: () => program('cc'),
  dd: () => program('dd'),
  bash: () => program('bash'),
  prlimit: () => program('prlimit'),
  '/dev/full': () => (existsSync('/dev/full') ? undefined : 'no /dev/full'),
  'stock SeaBIOS': () => stockFiles('bios-256k.bin', 'vgabios-bochs-display.bin'),
} as const satisfies Record<string, () => string | undefined>;

export type HostNeed = keyof typeof NEEDS;

/** Set in continuous integration: what is missing is a failure there. But root is no package that one could install. */
const NOTHING_MAY_BE_SKIPPED = process.env.SKEP_TEST_EVERYTHING === '1';

/** A test that needs something of the host. Where that is missing, its name says so. */
export function hostTest(name: string, needs: readonly HostNeed[], body: () => void | Promise<void>): void {
  const missing = needs
    .filter((need) => need === 'root' || !NOTHING_MAY_BE_SKIPPED)
    .map((need) => NEEDS[need]())
    .filter((reason) => reason !== undefined);
  if (missing.length === 0) test(name, body);
  else test.skip(`${name} [skipped: ${missing.join('; ')}]`, body);
}

/** A test of memfds, nodes and what else needs Linux and koffi. */
export function nodesTest(name: string, body: () => void | Promise<void>): void {
  hostTest(name, ['nodes'], body);
}

function stockFiles(...names: readonly StockFile[]): string | undefined {
  const missing = names.filter((name) => !existsSync(stockPath(name)));
  return missing.length === 0 ? undefined : `no ${missing.join(', ')}; 'npm run guests' downloads it`;
}

function program(name: string): string | undefined {
  const isThere = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${name}`));
  return isThere ? undefined : `no ${name}`;
}
