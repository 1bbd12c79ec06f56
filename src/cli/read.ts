import type { MachineClient, Where } from '../client/index.ts';
import { STATUS, type Command } from './command.ts';
import { HexDump } from './hex-dump.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { parseLength } from './number.ts';
import { print, printJson } from './output.ts';
import { OFFSET, parseWhere, WHERE } from './where.ts';

const DEFAULT_LENGTH = 256;

/** As many bytes as were asked for; unasked, not more than a segment has. */
async function lengthToRead(
  machine: MachineClient,
  where: Where,
  offset: number,
  asked: string | undefined,
): Promise<number> {
  if (asked !== undefined) return parseLength(asked);
  if (typeof where === 'number') return DEFAULT_LENGTH;
  const segment = (await machine.segments()).find(({ name }) => name === where);
  return Math.min(DEFAULT_LENGTH, Math.max(0, (segment?.length ?? 0) - offset));
}

export const read: Command = {
  name: 'read',
  summary: 'print bytes of a segment or of guest memory',
  operands: [NAME, WHERE, { name: 'LENGTH', optional: true, summary: `bytes; ${DEFAULT_LENGTH} when absent` }],
  options: [OFFSET, { name: 'raw', summary: 'write the bytes as they are' }, JSON_OPTION],
  run: (given) =>
    withMachine(given, async (machine) => {
      const where = await parseWhere(given.get(WHERE.name) ?? '', machine);
      const offset = parseLength(given.get('offset') ?? '0');
      const length = await lengthToRead(machine, where, offset, given.get('LENGTH'));
      const start = typeof where === 'number' ? where + offset : offset;
      const bytes = machine.stream(where, { offset, length });
      if (given.has('json')) {
        const place = typeof where === 'number' ? { gpa: start } : { segment: where, offset };
        const hex = Buffer.concat(await collect(bytes)).toString('hex');
        await printJson({ ...place, length, hex });
        return STATUS.DONE;
      }
      const dump = new HexDump(start, start + length);
      for await (const piece of bytes) await print(given.has('raw') ? piece : dump.take(piece));
      await print(dump.end());
      return STATUS.DONE;
    }),
};

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}
