/** Codes of ECMA-48, 8.3.117. */
const CODES = { bold: 1, red: 31, green: 32, cyan: 36 } as const;

export type Colour = keyof typeof CODES;

interface Terminal {
  readonly isTTY?: boolean;
}

/** Whether a stream is to have colour: a terminal that knows how, of somebody who has not said no (no-color.org). */
export function hasColour(
  stream: Terminal = process.stdout,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return stream.isTTY === true && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb';
}

export function paint(text: string, colour: Colour, wanted: boolean = hasColour()): string {
  return wanted ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** A table with its titles in bold, and lines about device memory set off from those about RAM. */
export function paintTable(lines: readonly string[], wanted: boolean = hasColour()): string {
  return lines
    .map((line, index) => {
      if (index === 0) return paint(line, 'bold', wanted);
      return / devmem\b/.test(line) ? paint(line, 'cyan', wanted) : line;
    })
    .join('\n');
}
