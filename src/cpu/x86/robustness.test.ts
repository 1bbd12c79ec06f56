import { expect, test } from 'vitest';
import { Random } from '../../../test/random.ts';
import { BareMachine } from './bare-machine.ts';
import { REGISTER_PLACES } from './registers.ts';

const SEED = Number(process.env['SKEP_SEED'] ?? 1);
const ROUNDS = Number(process.env['SKEP_ROUNDS'] ?? 1000);
const INSTRUCTIONS = 3000;
const RAM = 0x10_0000;

/** What the host relies on, whatever it is set to, and what must be consistent to be meaningful. */
const LEFT_ALONE = new Set(['mode', 'cpl', 'halted', 'shadow', 'start_rip', 'efer', 'cr8', 'cr4']);

const CR4_BITS = 0xff;

/** Any state of the processor, reachable or not: control registers at random, segments with small and large limits. */
function scramble(machine: BareMachine, random: Random): void {
  for (const name of REGISTER_PLACES.keys()) {
    if (LEFT_ALONE.has(name)) continue;
    const value = name.endsWith('.attributes')
      ? 0x80 | (random.bits() & 0xd01f)
      : random.bits() & (random.bits() & 1 ? 0xf_ffff : 0xffff_ffff);
    machine.set({ [name]: value });
  }
  machine.set({
    cr0: (random.bits() & 1) | (random.bits() & 3 ? 0 : 0x8000_0000) | 0x10,
    cr4: random.bits() & CR4_BITS,
  });
  const big = random.bits() & 1 ? 0x4000 : 0;
  machine.set({ 'cs.attributes': 0x9b | big, 'cs.base': 0, 'cs.limit': 0xffff_ffff, rip: random.bits() % RAM });
  machine.set({ rflags: random.bits() & 0x3f_ffd7 & ~(random.bits() & 3 ? 0x2_0100 : 0) });
  if (random.bits() & 1) {
    for (const name of ['ss', 'ds', 'es']) {
      machine.set({ [`${name}.base`]: 0, [`${name}.limit`]: 0xffff_ffff, [`${name}.attributes`]: 0xc093 });
    }
  }
}

test('no guest makes the engine throw, and every run comes back', () => {
  using machine = new BareMachine(RAM);
  const random = new Random(SEED);
  const words = new Uint32Array(machine.bytes.buffer, machine.bytes.byteOffset, RAM / 4);
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 100 === 0) {
      machine.load(0, new Uint8Array(RAM));
      for (let index = 0; index < words.length; index++) words[index] = random.bits();
    }
    machine.engine.reset();
    scramble(machine, random);
    machine.engine.setInterruptLine((random.bits() & 7) === 0);
    const before = machine.engine.instructions;
    expect(() => machine.run(INSTRUCTIONS), `seed ${SEED}, round ${round}`).not.toThrow();
    // To the end of the block, or of the string instruction, that reaches the limit.
    expect(machine.engine.instructions - before, `seed ${SEED}, round ${round}`).toBeLessThan(INSTRUCTIONS + 200);
    machine.accesses.length = 0;
  }
});
