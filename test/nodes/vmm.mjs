// A process that has machines, of guest memory and nothing else, and does what it is told on standard input:
//
//     start NAME   stop NAME   fill NAME SEGMENT BYTE   sum NAME SEGMENT   move NAME GPA   wire NAME   nodes
//     contend NAME ROUNDS: claims the name over and over, and counts when it was not alone
//
// Usage: node vmm.mjs RUNDIR [USER]
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findNodes } from '../../dist/host/device-node.js';
import { openLibc } from '../../dist/host/libc.js';
import { MachineNodes } from '../../dist/host/machine-nodes.js';
import { GuestMemory } from '../../dist/memory/index.js';

const [folder, user] = process.argv.slice(2);
if (user !== undefined) {
  openLibc(); // Where koffi is, another user may not be allowed to look.
  process.setgroups([]);
  process.setgid(Number(user));
  process.setuid(Number(user));
}
const MiB = 1024 * 1024;
const machines = new Map();

const verbs = {
  start(name) {
    const nodes = new MachineNodes({ name, folder });
    const store = nodes.arenaStore({ capacity: 64 * MiB });
    const memory = new GuestMemory({ store });
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 2 * MiB });
    memory.map({ segment: ram, gpa: 0, prot: 'rwx' });
    const framebuffer = memory.createSegment({ name: 'framebuffer', kind: 'devmem', length: MiB });
    const window = memory.window(framebuffer, { prot: 'rw-' });
    machines.set(name, { nodes, store, memory, window });
    return 'ok';
  },
  stop(name) {
    const { nodes, store, memory } = machines.get(name);
    machines.delete(name);
    for (const ended of [memory, store, nodes]) ended[Symbol.dispose]();
    return 'ok';
  },
  fill(name, segment, byte) {
    machines.get(name).memory.segment(segment).bytes.fill(Number(byte));
    return 'ok';
  },
  sum(name, segment) {
    return String(
      machines
        .get(name)
        .memory.segment(segment)
        .bytes.reduce((sum, byte) => sum + byte, 0),
    );
  },
  move(name, gpa) {
    machines.get(name).window.moveTo(Number(gpa));
    return 'ok';
  },
  wire(name) {
    machines.get(name).store.pages.wire();
    return 'ok';
  },
  nodes() {
    return JSON.stringify(findNodes(folder));
  },
  contend(name, rounds) {
    const marker = join(folder, 'marker');
    const count = { won: 0, lost: 0, together: 0 };
    for (let round = 0; round < Number(rounds); round++) {
      let nodes;
      try {
        nodes = new MachineNodes({ name, folder });
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
        count.lost++;
        continue;
      }
      count.won++;
      try {
        closeSync(openSync(marker, 'wx'));
        unlinkSync(marker);
      } catch {
        count.together++;
      }
      nodes[Symbol.dispose]();
    }
    return JSON.stringify(count);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...words] = line.split(' ');
  let answer;
  try {
    answer = verbs[verb](...words);
  } catch (error) {
    answer = `${error.code ?? 'bug'} ${error.message}`;
  }
  process.stdout.write(`${answer}\n`);
}
