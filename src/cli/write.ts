import { createReadStream } from 'node:fs';
import { ConfigError } from '../machine/config-error.ts';
import { readFailure } from '../host/files.ts';
import type { Given } from './arguments.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { parseLength } from './number.ts';
import { printJson, printLine } from './output.ts';
import { OFFSET, parseWhere, WHERE } from './where.ts';

/** What to write: given as digits, or in a file of any length. */
function source(given: Given): Uint8Array | AsyncIterable<Uint8Array> {
  const [hex, file] = [given.get('HEX'), given.get('file')];
  if ((hex === undefined) === (file === undefined)) throw new ConfigError('write takes HEX or --file, one of them');
  if (file !== undefined) return file === '-' ? process.stdin : readFile(file);
  const digits = (hex ?? '').replaceAll(/[\s:_]/g, '').replace(/^0x/i, '');
  if (/^([0-9a-fA-F]{2})+$/.test(digits)) return Buffer.from(digits, 'hex');
  throw new ConfigError(`'${hex}' is not bytes in hexadecimal, two digits each`);
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw readFailure(path, error);
  }
}

export const write: Command = {
  name: 'write',
  summary: 'write bytes of a segment or of guest memory',
  operands: [NAME, WHERE, { name: 'HEX', optional: true, summary: 'bytes, two hexadecimal digits each' }],
  options: [
    OFFSET,
    { name: 'file', value: 'FILE', summary: "write what is in a file; '-' is standard input" },
    JSON_OPTION,
  ],
  async run(given) {
    const bytes = source(given);
    const offset = parseLength(given.get('offset') ?? '0');
    const written = await withMachine(given, async (machine) => {
      const where = await parseWhere(given.get(WHERE.name) ?? '', machine);
      return machine.write(where, bytes, { offset });
    });
    if (given.has('json')) await printJson({ written });
    else await printLine(`${written} bytes written`);
    return STATUS.DONE;
  },
};
