import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { collectGarbage } from '../../test/nodes/garbage.ts';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { readNode, writeNode } from '../../test/nodes/node-bytes.ts';
import { countDescriptors, mappedMemfds, openMemfds, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { Random, SEED } from '../../test/random.ts';
import { MiB, PAGE_SIZE } from '../base/units.ts';
import type { Extent } from '../memory/index.ts';
import { MachineNodes } from './machine-nodes.ts';
import { MmapStore } from './mmap-store.ts';
import type { SharedStore } from './shared-store.ts';

const folder = temporaryFolder();

const STEPS = 2000;
const MOST_MACHINES = 4;
const MOST_SEGMENTS = 6;

/** What a segment should be: so many pages, all bytes the same. */
interface Segment {
  readonly name: string;
  readonly extent: Extent;
  byte: number;
}

interface Machine {
  readonly nodes: MachineNodes;
  readonly store: SharedStore;
  readonly segments: Segment[];
}

/** Machines that come and go, and segments in them, each of one byte over and over. */
class Model {
  readonly machines: Machine[] = [];
  /** Views of segments that are gone: nobody else may see what is written there, and they may not crash. */
  readonly kept: Uint8Array[] = [];
  readonly #random: Random = new Random(SEED);
  #names = 0;

  start(): void {
    if (this.machines.length === MOST_MACHINES) return;
    const nodes = new MachineNodes({ name: `machine${this.#names++}`, folder });
    const store = this.#random.below(2) === 0 ? nodes.arenaStore({ capacity: 512 * MiB }) : nodes.mmapStore();
    this.machines.push({ nodes, store, segments: [] });
  }

  end(machine: Machine): void {
    this.machines.splice(this.machines.indexOf(machine), 1);
    this.kept.push(...machine.segments.map(({ extent }) => extent.bytes));
    machine.store[Symbol.dispose]();
    machine.nodes[Symbol.dispose]();
  }

  allocate({ store, segments }: Machine): void {
    if (segments.length === MOST_SEGMENTS) return;
    const name = `segment${this.#names++}`;
    const extent = store.allocate((1 + this.#random.below(64)) * PAGE_SIZE, { name, kind: 'devmem' });
    segments.push({ name, extent, byte: 0 });
  }

  free({ store, segments }: Machine, segment: Segment): void {
    segments.splice(segments.indexOf(segment), 1);
    store.free(segment.extent);
    // In an arena another segment will lie there.
    if (store instanceof MmapStore) this.kept.push(segment.extent.bytes);
  }

  fill(segment: Segment): void {
    segment.byte = this.#random.below(256);
    segment.extent.bytes.fill(segment.byte);
  }

  fillNode({ nodes }: Machine, segment: Segment): void {
    segment.byte = this.#random.below(256);
    writeNode(nodes.path(segment.name), 0, new Uint8Array(segment.extent.bytes.length).fill(segment.byte));
  }

  scribble(): void {
    for (const view of this.kept) view.fill(this.#random.below(256));
    this.kept.splice(0, this.kept.length - 10);
  }

  step(): void {
    const machine = this.machines[this.#random.below(this.machines.length)];
    if (machine === undefined || this.#random.below(20) === 0) return this.start();
    const segment = machine.segments[this.#random.below(machine.segments.length)];
    const choice = this.#random.below(30);
    if (segment === undefined || choice < 8) return this.allocate(machine);
    if (choice < 14) return this.fill(segment);
    if (choice < 20) return this.fillNode(machine, segment);
    if (choice < 26) return this.free(machine, segment);
    return choice < 29 ? this.scribble() : this.end(machine);
  }
}

/** Every byte of every segment, as this process sees it, and the ends of it as the node has them. */
function check({ nodes, segments }: Machine): void {
  for (const { name, extent, byte } of segments) {
    const { bytes } = extent;
    // A loop over the bytes would take ten times as long.
    expect([name, Buffer.alloc(bytes.length, byte).equals(bytes)]).toEqual([name, true]);
    expect(readNode(nodes.path(name), 0, 1)).toEqual([byte]);
    expect(readNode(nodes.path(name), bytes.length - 1, 2)).toEqual([byte]);
  }
}

nodesTest(
  `${STEPS} random lives of machines and segments mix up no byte and leave nothing (seed ${SEED})`,
  async () => {
    const before = countDescriptors();
    const model = new Model();
    for (let step = 0; step < STEPS; step++) {
      model.step();
      const touched = model.machines[step % MOST_MACHINES];
      if (touched !== undefined) check(touched);
      if (step % 500 === 499) await collectGarbage();
    }
    for (const machine of model.machines) check(machine);
    const nodes = model.machines.flatMap(({ segments }) => segments);
    expect(readdirSync(folder).filter((name) => !name.startsWith('.')).length).toBe(nodes.length);
    for (let last = model.machines.at(-1); last !== undefined; last = model.machines.at(-1)) model.end(last);
    model.scribble();
    await collectGarbage();
    expect([countDescriptors(), openMemfds(), mappedMemfds(), readdirSync(folder)]).toEqual([before, [], [], []]);
  },
);
