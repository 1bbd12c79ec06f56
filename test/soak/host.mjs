// Machines of the soak test, all in one process, so that whatever one of them leaves behind is seen:
//
//     usage           bytes of resident memory, descriptors, memfds, mappings of memfds, as JSON
//     restart K       ends machine K and starts another of its name
//     end             ends all machines; then usage is told once more
//
// Usage: node --expose-gc host.mjs RUNDIR ROM...
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventLoopPace, Machine } from '../../dist/index.js';
import { collectingSink } from '../../dist/host/byte-sink.js';
import { ControlServer, SerialTap, TurnShare } from '../../dist/host/control/index.js';
import { MachineNodes } from '../../dist/host/machine-nodes.js';
import { socketPath } from '../../dist/host/control/socket-file.js';

const [folder, ...roms] = process.argv.slice(2);
const MiB = 1024 * 1024;
const share = new TurnShare();

async function start(index) {
  const name = `vm${index}`;
  const nodes = new MachineNodes({ name, folder });
  const serial = new SerialTap();
  const sink = collectingSink((bytes) => serial.write(bytes));
  let store;
  const machine = new Machine(
    { name, memory: 4 * MiB, bootRom: readFileSync(roms[index]), display: { width: 640, height: 480 } },
    {
      makeArena: (request) => (store = nodes.arenaStore(request)),
      hostTime: () => Math.floor(performance.now() * 1e6),
      wallClock: () => Date.now() / 1000,
      serial: (byte) => sink.write(byte),
      debugConsole() {},
    },
  );
  const pace = eventLoopPace(() => sink.flush());
  const wake = () => pace.wake();
  const control = await ControlServer.open({ machine, path: socketPath(folder, name), serial, share, wake });
  const running = machine.run(pace);
  return async () => {
    machine.stop('interrupted');
    wake();
    await running;
    await control[Symbol.asyncDispose]();
    machine[Symbol.dispose]();
    store[Symbol.dispose]();
    nodes[Symbol.dispose]();
  };
}

/** Engines that are no longer reachable keep their address space until the collector has come round. */
async function collect() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

const linkTarget = (descriptor) => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ''; // The descriptor by which the folder itself was read.
  }
};

async function usage() {
  await collect();
  const descriptors = readdirSync('/proc/self/fd').map(linkTarget);
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n');
  return JSON.stringify({
    resident: process.memoryUsage.rss(),
    descriptors: descriptors.length,
    memfds: descriptors.filter((target) => target.startsWith('/memfd:')).length,
    mappings: maps.filter((line) => line.includes('/memfd:')).length,
  });
}

const machines = [];
const verbs = {
  usage,
  async start() {
    while (machines.length < roms.length) machines.push(await start(machines.length));
    return 'ok';
  },
  async restart(index) {
    await machines[index]();
    machines[index] = await start(Number(index));
    return 'ok';
  },
  async end() {
    for (const end of machines.splice(0)) await end();
    return usage();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...words] = line.split(' ');
  let answer;
  try {
    answer = await verbs[verb](...words);
  } catch (error) {
    answer = `${error.code ?? 'bug'} ${error.stack.replaceAll('\n', ' ')}`;
  }
  process.stdout.write(`${answer}\n`);
}
