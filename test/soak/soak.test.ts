import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { hostTest } from '../nodes/host-needs.ts';
import { temporaryFolder } from '../nodes/process-facts.ts';
import { Program } from '../nodes/program.ts';
import { SEED } from '../random.ts';
import { movingGuest } from './moving-guest.ts';

const MACHINES = 8;
/** How long it goes on. It decides how much is tried, and nothing else. */
const SECONDS = Number(process.env.SKEP_SOAK_SECONDS ?? 20);

/** Bytes by which the resident set may grow while machines are used, reset and replaced: less than two machines have. */
const GROWTH = 48 * 1024 * 1024;

interface Usage {
  readonly resident: number;
  readonly descriptors: number;
  readonly memfds: number;
  readonly mappings: number;
}

interface Reading {
  readonly passes: number;
  readonly whole: number;
  readonly answers: number;
  readonly survivors: number;
  readonly wrong: readonly string[];
}

interface Hammering {
  readonly answers: Readonly<Record<string, number>>;
  readonly moves: number;
  readonly wrong: readonly string[];
}

const folder = temporaryFolder();
const beside = (script: string): string => join(import.meta.dirname, script);
const rest = (milliseconds: number): Promise<void> => new Promise((resume) => setTimeout(resume, milliseconds));

async function ended<T>(program: Program): Promise<T> {
  void program.close();
  const answer = await program.answer();
  try {
    return JSON.parse(answer) as T;
  } catch {
    throw new Error(answer);
  }
}

describe(`eight machines that move their framebuffers for ${SECONDS} s (seed ${SEED})`, () => {
  hostTest('have the right bytes for all who read them, and leave nothing behind', ['nodes', 'python3'], async () => {
    const run = join(folder, 'run');
    mkdirSync(run, { mode: 0o700 });
    const identities = Array.from({ length: MACHINES }, (_, index) => Math.imul(SEED + index, 0x9e3779b1) >>> 0);
    const roms = identities.map((identity, index) => {
      const path = join(folder, `rom${index}`);
      writeFileSync(path, movingGuest(identity));
      return path;
    });
    using host = new Program(process.execPath, ['--expose-gc', beside('host.mjs'), run, ...roms]);
    const usage = async (): Promise<Usage> => JSON.parse(await host.ask('usage')) as Usage;
    const before = await usage();
    expect(await host.ask('start')).toBe('ok');
    const names = identities.map(String);
    const readers = [0, 1].map((slot) => new Program('python3', [beside('reader.py'), run, `${slot}`, ...names]));
    using hammer = new Program(process.execPath, [beside('hammer.mjs'), run, `${SEED}`, ...names]);
    try {
      const end = performance.now() + SECONDS * 1000;
      const replace = async (index: number): Promise<void> => {
        await rest((SECONDS * 1000) / 6 / MACHINES);
        expect(await host.ask(`restart ${index % MACHINES}`)).toBe('ok');
      };
      // Each machine has been replaced once, and everything done a few times, before anything is weighed.
      for (let index = 0; index < MACHINES; index++) await replace(index);
      const warm = await usage();
      for (let index = 0; index < MACHINES || performance.now() < end; index++) await replace(index);
      const late = await usage();
      const readings = await Promise.all(readers.map((reader) => ended<Reading>(reader)));
      const hammering = await ended<Hammering>(hammer);
      expect([...readings.flatMap(({ wrong }) => wrong), ...hammering.wrong]).toEqual([]);
      for (const { passes, whole, answers } of readings) expect(Math.min(passes, whole, answers)).toBeGreaterThan(0);
      expect(hammering.moves).toBeGreaterThan(0);
      expect([late.memfds, late.mappings]).toEqual([warm.memfds, warm.mappings]);
      expect(late.resident - warm.resident).toBeLessThan(GROWTH);
      const after = JSON.parse(await host.ask('end')) as Usage;
      expect(after).toMatchObject({ descriptors: before.descriptors, memfds: 0, mappings: 0 });
      expect(readdirSync(run)).toEqual([]);
      expect(await host.close()).toBe('0');
      expect(host.complaints).toBe('');
    } finally {
      for (const reader of readers) reader[Symbol.dispose]();
    }
  });
});
