import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { decode } from 'fast-png';
import { expect } from 'vitest';
import { MachineClient } from '../src/client/index.ts';
import { until } from './control/controlled-machine.ts';
import { hostTest } from './nodes/host-needs.ts';
import { temporaryFolder } from './nodes/process-facts.ts';
import { Program } from './nodes/program.ts';
import { screenText } from './screen-text.ts';
import { stockFile } from './stock-guest.ts';

/** What a person types, at which prompt, and what is printed then. */
interface Step {
  readonly prompt: '$' | '>>>';
  readonly typed: string;
  readonly printed: string;
}

/** The transcript of README.md that has Python in it. */
function transcript(): Step[] {
  const blocks = readFileSync('README.md', 'utf8').matchAll(/^```\n(.*?)^```$/gms);
  const [text = ''] = Array.from(blocks, ([, block = '']) => block).filter((block) => block.includes('>>> '));
  return text.split(/^(?=\$ |>>> )/m).map((step) => {
    const [, prompt, typed = '', printed = ''] = /^(\$|>>>) ([^\n]*)\n(.*)$/s.exec(step) ?? [];
    return { prompt: prompt === '$' ? '$' : '>>>', typed, printed };
  });
}

/** Types a transcript: its variables, what runs in the background, its Python session, and everything else. */
class Typist implements Disposable {
  readonly #folder: string;
  readonly #background: ChildProcess[] = [];
  #variables = '';
  #python: Program | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of ['guests', 'examples']) symlinkSync(resolve(name), join(folder, name));
  }

  /** Gives what is printed. */
  async type({ prompt, typed, printed }: Step): Promise<string> {
    if (prompt === '>>>') return this.#askPython(typed, printed !== '');
    if (/^\w+=/.test(typed)) this.#variables += `${typed}\n`;
    else if (typed.endsWith(' &'))
      this.#background.push(spawn('bash', this.#script(`exec ${typed.slice(0, -2)}`), this.#options));
    else if (typed.startsWith('python3 -i '))
      this.#python = new Program('python3', ['-u', ...typed.split(' ').slice(1)], this.#options);
    else return spawnSync('bash', this.#script(typed), { ...this.#options, encoding: 'utf8' }).stdout;
    return '';
  }

  async #askPython(typed: string, answers: boolean): Promise<string> {
    this.#python?.tell(typed);
    return answers ? `${await this.#python?.answer()}\n` : '';
  }

  #script(command: string): string[] {
    const skep = `${process.execPath} ${resolve('dist/cli/main.js')}`;
    return ['-c', `${this.#variables}${command.replaceAll('npx skep', skep)}`];
  }

  get #options(): { cwd: string; env: NodeJS.ProcessEnv } {
    return { cwd: this.#folder, env: { ...process.env, SKEP_RUNDIR: join(this.#folder, 'run') } };
  }

  [Symbol.dispose](): void {
    this.#python?.[Symbol.dispose]();
    for (const child of this.#background) child.kill('SIGKILL');
  }
}

/** The firmware's cursor blinks until the framebuffer moves away from under it: so many pixels are lit or not. */
const CURSOR = 16;

/** The same words, and the same numbers told from the first one, which depends on the firmware's version. */
function isAsPromised(printed: string, found: number, promise: string, promised: number): boolean {
  const words = (text: string): string => text.replace(/^\d+$/gm, '#');
  const more = (text: string, first: number): number[] =>
    [...text.matchAll(/^\d+$/gm)].map(([number]) => Number(number) - first);
  const expected = more(promise, promised);
  return (
    words(printed) === words(promise) &&
    more(printed, found).every((number, index) => Math.abs(number - (expected[index] ?? 0)) <= CURSOR)
  );
}

/** In how many places two pictures differ. */
function differences(one: Buffer, other: Buffer): number {
  let count = Math.abs(one.length - other.length);
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) count++;
  return count;
}

const folder = temporaryFolder();

/** A person sees when the firmware has said its last word, and only then takes a picture. */
async function firmwareIsThrough(): Promise<boolean> {
  using client = new MachineClient(join(folder, 'run', 'demo.sock'));
  const png = await client.screenshot().catch(() => undefined); // The display may be off still.
  if (png === undefined) return false;
  const { width, height, data, channels } = decode(png);
  const pixels = Uint8Array.from({ length: 4 * width * height }, (_, at) =>
    at % 4 === 3 ? 255 : (data[(at >> 2) * channels + (at % 4)] ?? 0),
  );
  return screenText({ width, height, pixels }, stockFile('vgabios-bochs-display.bin')).includes('No bootable device.');
}

hostTest(
  'the transcript in the README happens as it stands there, with stock SeaBIOS and Python',
  ['nodes', 'bash', 'python3', 'stock SeaBIOS'],
  async () => {
    using typist = new Typist(folder);
    const steps = transcript();
    expect(steps.length).toBeGreaterThan(10);
    let [found, promised] = [0, 0];
    for (const step of steps) {
      if (step.typed === "save('before.ppm')") await until(firmwareIsThrough, 60_000);
      let printed = await typist.type(step);
      if (step.typed === "save('before.ppm')") [found, promised] = [Number(printed), Number(step.printed)];
      if (step.printed === '') continue;
      // What a person waits for: the machine is up, the clock has ticked.
      const isSo = async (): Promise<boolean> => {
        if (isAsPromised(printed, found, step.printed, promised)) return true;
        printed = await typist.type(step);
        return false;
      };
      await until(isSo, 60_000).catch(() => expect(printed, step.typed).toBe(step.printed));
    }
    expect(found).toBeGreaterThan(1000);
    const picture = (name: string): Buffer => readFileSync(join(folder, `${name}.ppm`));
    expect(picture('before').toString('latin1', 0, 16)).toBe('P6 1024 768 255\n');
    expect(differences(picture('before'), picture('after'))).toBeLessThanOrEqual(3 * CURSOR);
    expect(differences(picture('after'), picture('line'))).toBeGreaterThan(1000);
    expect(differences(picture('line'), picture('afterwards'))).toBe(0);
  },
);
