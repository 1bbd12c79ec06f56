import { once } from 'node:events';

/** Writes to standard output, at the pace of whoever reads it. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export async function printLine(line: string): Promise<void> {
  await print(`${line}\n`);
}

export function printJson(value: unknown): Promise<void> {
  return printLine(JSON.stringify(value, undefined, 2));
}

/** A reader that has seen enough ends the command, silently, as a signal would. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`skep: cannot write standard output: ${error.message}\n`);
    process.exit(error.code === 'EPIPE' ? 0 : 2);
  });
}
