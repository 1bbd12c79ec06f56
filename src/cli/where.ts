import type { MachineClient, Where } from '../client/index.ts';
import { ConfigError } from '../machine/config-error.ts';
import type { Operand, Option } from './arguments.ts';
import { parseAddress } from './number.ts';

export const WHERE: Operand = {
  name: 'SEGMENT|GPA',
  summary: 'name of a segment, or a guest-physical address in hexadecimal (0x makes it one in any case)',
};

export const OFFSET: Option = { name: 'offset', value: 'BYTES', summary: 'start so far into it' };

/** A segment if there is one of this name, else an address. */
export async function parseWhere(text: string, machine: MachineClient): Promise<Where> {
  const segments = await machine.segments();
  if (segments.some(({ name }) => name === text)) return text;
  if (/^(0[xX])?[0-9a-fA-F]+$/.test(text)) return parseAddress(text);
  const names = segments.map(({ name }) => name).join(', ');
  throw new ConfigError(`'${text}' is neither an address nor a segment; there are ${names}`);
}
