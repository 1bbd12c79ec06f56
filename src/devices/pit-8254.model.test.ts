import { describe, expect, it } from 'vitest';

import { Random, SEED } from '../../test/random.ts';
import { ManualClock } from '../base/clock.ts';
import { unconnectedLine } from '../bus/interrupt-line.ts';
import { Oscillator } from './oscillator.ts';
import { Pit8254, PIT_FREQUENCY } from './pit-8254.ts';

// The device works out value and output from elapsed time. Here a counter that really counts, clock by clock as the
// data sheet tells it, is held against it: random counts, gates and modes, compared after every tick.

const CRYSTAL = new Oscillator(PIT_FREQUENCY);
const RUNS = 40;
const TICKS = 1_000;

/** A counter of the data sheet, binary, with its gate. */
class CountingCounter {
  out = true;
  value = 0;
  gate = false;
  /** Whether `value` is defined: a count has been loaded and none waits. */
  loaded = false;
  #mode = 0;
  #count: number | undefined;
  /** The count that the present cycle began with. */
  #inUse = 0;
  #loadNext = false;
  #started = false;
  #done = false;

  control(mode: number): void {
    this.#mode = mode;
    this.out = mode !== 0;
    this.#count = undefined;
    this.#loadNext = false;
    this.#started = false;
    this.loaded = false;
  }

  write(count: number): void {
    const first = this.#count === undefined;
    this.#count = count;
    this.loaded = false;
    if (this.#mode === 0) this.out = false;
    if (this.#mode === 4) this.out = true;
    if (this.#mode === 0 || this.#mode === 4 || (first && (this.#mode === 2 || this.#mode === 3)))
      this.#loadNext = true;
  }

  setGate(gate: boolean): void {
    const rises = gate && !this.gate;
    this.gate = gate;
    if (this.#mode === 2 || this.#mode === 3) {
      if (!gate) this.out = true;
    } else if (this.#mode !== 1 && this.#mode !== 5) return;
    if (rises && this.#count !== undefined) {
      this.#loadNext = true;
      this.loaded = false;
      if (this.#mode === 5) this.out = true;
    }
  }

  clock(): void {
    if (this.#loadNext) this.#load();
    else if (this.#started) this.#step();
  }

  #load(): void {
    this.#loadNext = false;
    this.#started = true;
    this.#done = false;
    this.#reload();
    if (this.#mode === 1) this.out = false;
    else if (this.#mode >= 2) this.out = true;
  }

  #reload(): void {
    this.#inUse = this.#count ?? 0;
    this.value = this.#mode === 3 ? this.#inUse & ~1 : this.#inUse;
    this.loaded = true;
  }

  #step(): void {
    const triggered = this.#mode === 1 || this.#mode === 5;
    if (!this.gate && !triggered) {
      if (this.#mode === 4) this.out = true;
      return;
    }
    if (this.#mode === 2) this.#stepRate();
    else if (this.#mode === 3) this.#stepSquare();
    else this.#stepOnce();
  }

  #stepOnce(): void {
    this.value = (this.value - 1) & 0xffff;
    const reached = this.value === 0 && !this.#done;
    if (reached) this.#done = true;
    if (this.#mode >= 4) this.out = !reached;
    else if (reached) this.out = true;
  }

  #stepRate(): void {
    if (this.value === 1) this.#reload();
    else this.value--;
    this.out = this.value !== 1;
  }

  #stepSquare(): void {
    const last = this.out && (this.#inUse & 1) !== 0 ? 0 : 2;
    if (this.value > last) this.value -= 2;
    else {
      this.out = !this.out;
      this.#reload();
    }
  }
}

describe.each([0, 1, 2, 3, 4, 5])('mode %i', (mode) => {
  it(`agrees with a counter that counts (seed ${SEED})`, () => {
    for (let run = 0; run < RUNS; run++) expect(() => compare(mode, new Random(SEED * RUNS + run))).not.toThrow();
  });
});

describe.each([0, 2, 3, 4])('IRQ 0 in mode %i', (mode) => {
  it(`rises when the output of a counter that counts does (seed ${SEED})`, () => {
    for (let run = 0; run < RUNS; run++) expect(() => compareRises(mode, new Random(SEED * RUNS + run))).not.toThrow();
  });
});

function compareRises(mode: number, random: Random): void {
  const clock = new ManualClock();
  const line = { level: false, rises: 0 };
  const set = (level: boolean): void => {
    if (level && !line.level) line.rises++;
    line.level = level;
  };
  const pit = new Pit8254({ clock, interrupt: { set } });
  const model = new CountingCounter();
  model.setGate(true);
  pit.ports.write(3, 1, 0x30 | (mode << 1));
  model.control(mode);
  let rises = model.out ? 1 : 0;
  const history: string[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    if (random.below(50) === 0) {
      const count = 60 + random.below(60);
      history.push(`${tick}: count ${count}`);
      for (const byte of [count, 0]) pit.ports.write(0, 1, byte);
      const low = !model.out;
      model.write(count);
      if (low && model.out) rises++; // A write in mode 4's strobe ends it.
    } else if (random.below(10) === 0) pit.ports.read(0, 1);
    if (line.rises !== rises)
      throw new Error(`${line.rises} at tick ${tick}, not ${rises}, after ${history.join(', ')}`);
    const before = model.out;
    clock.advance(CRYSTAL.timeOf(tick + 1) - clock.now());
    model.clock();
    if (model.out && !before) rises++;
  }
}

function compare(mode: number, random: Random): void {
  const clock = new ManualClock();
  const pit = new Pit8254({ clock, interrupt: unconnectedLine });
  const model = new CountingCounter();
  const control = (): void => {
    pit.ports.write(3, 1, 0xb0 | (mode << 1));
    model.control(mode);
  };
  control();
  const history: string[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    const what = random.below(40);
    if (what === 0) {
      const count = 2 + random.below(12);
      history.push(`${tick}: count ${count}`);
      for (const byte of [count, 0]) pit.ports.write(2, 1, byte);
      model.write(count);
    } else if (what === 1) {
      history.push(`${tick}: gate ${!model.gate}`);
      pit.systemControl.write(0, 1, model.gate ? 0 : 1);
      model.setGate(!model.gate);
    } else if (what === 2 && random.below(10) === 0) {
      history.push(`${tick}: control`);
      control();
    }
    const output = (pit.systemControl.read(0, 1) & 0x20) !== 0;
    if (output !== model.out) throw new Error(`output ${output} at tick ${tick} after ${history.join(', ')}`);
    if (model.loaded && (model.gate || mode === 0 || mode === 4)) {
      const value = pit.ports.read(2, 1) | (pit.ports.read(2, 1) << 8);
      if (value !== model.value) {
        throw new Error(`value ${value}, not ${model.value}, at tick ${tick} after ${history.join(', ')}`);
      }
    }
    clock.advance(CRYSTAL.timeOf(tick + 1) - clock.now());
    model.clock();
  }
}
