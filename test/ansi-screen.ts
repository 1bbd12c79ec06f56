const WIDTH = 80;
const HEIGHT = 25;

const ESCAPE = '\x1b';
/** After an escape, a control sequence: its parameters, and the letter that says what it does (ECMA-48, 5.4). */
const SEQUENCE = /^\[([0-9;?]*)([@-~])/;
/** What chooses a character set or resets the terminal changes nothing here. */
const OTHER_SEQUENCE = /^(?:[()].|.)/;

/** What a terminal of 80 by 25 shows after a guest has sent this to it, line by line. Colours and scrolling are left out. */
export function ansiScreen(sent: string): string {
  const screen = new AnsiScreen();
  screen.write(sent);
  return screen.lines.map((line) => line.join('').trimEnd()).join('\n');
}

class AnsiScreen {
  readonly lines: string[][] = Array.from({ length: HEIGHT }, () => Array.from(' '.repeat(WIDTH)));
  #row = 0;
  #column = 0;

  readonly #actions: Readonly<Record<string, (parameters: readonly number[]) => void>> = {
    H: ([row, column]) => this.#moveTo((row || 1) - 1, (column || 1) - 1),
    f: ([row, column]) => this.#moveTo((row || 1) - 1, (column || 1) - 1),
    A: ([count]) => this.#moveTo(this.#row - (count || 1), this.#column),
    B: ([count]) => this.#moveTo(this.#row + (count || 1), this.#column),
    C: ([count]) => this.#moveTo(this.#row, this.#column + (count || 1)),
    D: ([count]) => this.#moveTo(this.#row, this.#column - (count || 1)),
    J: ([part]) => this.#erase(part === 2 ? 0 : this.#row * WIDTH + this.#column, WIDTH * HEIGHT),
    K: ([part]) => this.#erase(this.#row * WIDTH + (part === 2 ? 0 : this.#column), (this.#row + 1) * WIDTH),
  };

  write(sent: string): void {
    for (let at = 0; at < sent.length;) at += this.#next(sent, at);
  }

  /** How many characters it took. */
  #next(sent: string, at: number): number {
    const character = sent[at] ?? '';
    if (character === ESCAPE) return 1 + this.#obey(sent.slice(at + 1, at + 32));
    this.#put(character);
    return 1;
  }

  #obey(rest: string): number {
    const sequence = SEQUENCE.exec(rest);
    if (sequence === null) return OTHER_SEQUENCE.exec(rest)?.[0].length ?? 0;
    const [whole, parameters = '', action = ''] = sequence;
    this.#actions[action]?.(parameters.split(';').map(Number));
    return whole.length;
  }

  #put(character: string): void {
    if (character === '\r') this.#moveTo(this.#row, 0);
    else if (character === '\n') this.#moveTo(this.#row + 1, this.#column);
    else if (character === '\b') this.#moveTo(this.#row, this.#column - 1);
    else if (character >= ' ') {
      const line = this.lines[this.#row];
      if (line !== undefined) line[this.#column] = character;
      this.#moveTo(this.#row, this.#column + 1);
    }
  }

  #moveTo(row: number, column: number): void {
    this.#row = Math.min(Math.max(row, 0), HEIGHT - 1);
    this.#column = Math.min(Math.max(column, 0), WIDTH - 1);
  }

  /** From one place to another, counted over all lines. */
  #erase(start: number, end: number): void {
    for (let place = start; place < end; place++) {
      const line = this.lines[Math.floor(place / WIDTH)];
      if (line !== undefined) line[place % WIDTH] = ' ';
    }
  }
}
