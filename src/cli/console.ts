import { STATUS, type Command } from './command.ts';
import { NAME, withMachine } from './machine-operand.ts';
import { print } from './output.ts';

/** Ctrl-], as telnet has it. */
const ESCAPE = 0x1d;

/** What is typed, byte for byte, up to the escape character. Ends with standard input too. */
async function* typed(input: AsyncIterable<Uint8Array>, escaped: () => void): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of input) {
    const end = bytes.indexOf(ESCAPE);
    if (end < 0 || !process.stdin.isTTY) {
      yield bytes;
      continue;
    }
    if (end > 0) yield bytes.subarray(0, end);
    escaped();
    return;
  }
}

/** Keys go to the guest one by one, Ctrl-C too. */
function rawMode(): Disposable {
  if (!process.stdin.isTTY) return { [Symbol.dispose]() {} };
  process.stdin.setRawMode(true);
  process.stderr.write('skep: connected; Ctrl-] leaves\r\n');
  return { [Symbol.dispose]: () => void process.stdin.setRawMode(false) };
}

export const consoleCommand: Command = {
  name: 'console',
  summary: "talk to a guest's serial port; Ctrl-] leaves",
  operands: [NAME],
  options: [{ name: 'no-replay', summary: 'do not print what the guest has said before' }],
  run: (given) =>
    withMachine(given, async (machine) => {
      const leaving = new AbortController();
      const leave = (): void => leaving.abort();
      using _raw = rawMode();
      void machine.serialInput(typed(process.stdin, leave)).catch(leave);
      try {
        const output = machine.serialOutput({ replay: !given.has('no-replay'), signal: leaving.signal });
        for await (const bytes of output) await print(bytes);
      } catch (error) {
        if (!leaving.signal.aborted) throw error;
      }
      process.stdin.destroy();
      return STATUS.DONE;
    }),
};
