import { replaceFile } from '../host/files.ts';
import { STATUS, type Command } from './command.ts';
import { NAME, withMachine } from './machine-operand.ts';
import { print } from './output.ts';

export const screenshot: Command = {
  name: 'screenshot',
  summary: 'write what the display shows to a PNG file',
  operands: [NAME, { name: 'FILE', summary: "where to; '-' is standard output", offers: 'files' }],
  options: [],
  async run(given) {
    const picture = await withMachine(given, (machine) => machine.screenshot());
    const file = given.get('FILE') ?? '';
    if (file === '-') await print(picture);
    else replaceFile(file, picture);
    return STATUS.DONE;
  },
};
