import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { temporaryFolder } from '../../test/nodes/process-facts.ts';
import { DeviceNodes, findNodes, nodeName } from './device-node.ts';
import { openLibc } from './libc.ts';
import { Memfd } from './memfd.ts';

const folder = join(temporaryFolder(), 'run');
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});

const memfd = (name: string): Memfd => new Memfd(openLibc(), name, 4096);

/** A process number that nobody has any more. */
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

test('a node is named for its machine, and for its segment when it is devmem', () => {
  expect([nodeName('vm'), nodeName('vm', 'bootrom'), nodeName('a', 'b.c')]).toEqual(['vm', 'vm.bootrom', 'a.b.c']);
});

nodesTest('a node leads to the file for as long as it is shown', () => {
  const nodes = new DeviceNodes(folder, 'vm');
  using file = memfd('vm.rom');
  const shown = nodes.show(file, 'rom');
  expect(readlinkSync(at('vm.rom'))).toBe(`/proc/${process.pid}/fd/${file.descriptor}`);
  shown[Symbol.dispose]();
  expect(readdirSync(folder)).toEqual([]);
});

nodesTest('a node never replaces anything', () => {
  const nodes = new DeviceNodes(folder, 'vm');
  using file = memfd('vm.rom');
  writeFileSync(at('vm.rom'), 'mine');
  expect(() => nodes.show(file, 'rom')).toThrow(
    expect.objectContaining({
      code: 'EEXIST',
      message: `cannot make the device node ${at('vm.rom')}: file already exists (EEXIST)`,
    }),
  );
});

nodesTest('the end of a node leaves alone what somebody else has put there, and does not mind when it is gone', () => {
  const nodes = new DeviceNodes(folder, 'vm');
  using file = memfd('vm.a');
  const [replaced, removed] = [nodes.show(file, 'a'), nodes.show(file, 'b')];
  rmSync(at('vm.a'));
  writeFileSync(at('vm.a'), 'mine');
  rmSync(at('vm.b'));
  replaced[Symbol.dispose]();
  removed[Symbol.dispose]();
  expect(readdirSync(folder)).toEqual(['vm.a']);
  const last = nodes.show(file, 'c');
  rmSync(folder, { recursive: true });
  expect(() => last[Symbol.dispose]()).not.toThrow();
});

nodesTest('the end of a machine is the end of all of its nodes', () => {
  using file = memfd('vm.a');
  {
    using nodes = new DeviceNodes(folder, 'vm');
    nodes.show(file, 'a');
    nodes.show(file, 'b')[Symbol.dispose]();
    nodes.show(file);
    expect(readdirSync(folder).sort()).toEqual(['vm', 'vm.a']);
  }
  expect(readdirSync(folder)).toEqual([]);
});

nodesTest('stale nodes and the stale socket of a machine go before its next life, and nothing else', async () => {
  const stale = `/proc/${deadPid()}/fd/20`;
  for (const name of ['vm', 'vm.rom', 'vm.a.b', 'vm2', 'vm2.rom', '.vm.rom']) symlinkSync(stale, at(name));
  symlinkSync('/etc/hosts', at('vm.hosts'));
  writeFileSync(at('vm.txt'), 'mine');
  mkdirSync(at('vm.folder'));
  const server = createServer().listen(at('vm.sock'));
  await new Promise((resolve) => server.once('listening', resolve));
  void new DeviceNodes(folder, 'vm');
  expect(readdirSync(folder).sort()).toEqual(['.vm.rom', 'vm.folder', 'vm.hosts', 'vm.txt', 'vm2', 'vm2.rom']);
  server.close();
});

nodesTest('nodes are found with whose they are, and whether there is still something behind them', () => {
  const nodes = new DeviceNodes(folder, 'vm');
  using ram = memfd('vm');
  using rom = memfd('vm.b.c');
  using _shownRam = nodes.show(ram);
  using _shownRom = nodes.show(rom, 'b.c');
  const pid = deadPid();
  symlinkSync(`/proc/${pid}/fd/3`, at('dead'));
  // Its number is ours now, and the descriptor is another file's.
  symlinkSync(ram.path, at('reused'));
  writeFileSync(at('notes'), '');
  expect(findNodes(folder)).toEqual([
    { path: at('dead'), machine: 'dead', segment: undefined, pid, live: false },
    { path: at('reused'), machine: 'reused', segment: undefined, pid: process.pid, live: false },
    { path: at('vm'), machine: 'vm', segment: undefined, pid: process.pid, live: true },
    { path: at('vm.b.c'), machine: 'vm', segment: 'b.c', pid: process.pid, live: true },
  ]);
});

nodesTest('names of all alphabets, and with spaces, are found alive', () => {
  const nodes = new DeviceNodes(folder, 'Zürich 虚拟机');
  using file = memfd('Zürich 虚拟机.ß (deleted)');
  using _shown = nodes.show(file, 'ß (deleted)');
  expect(findNodes(folder)).toMatchObject([{ machine: 'Zürich 虚拟机', segment: 'ß (deleted)', live: true }]);
});

nodesTest('no run folder is no reason to fail strangely', () => {
  expect(() => findNodes(at('none'))).toThrow(expect.objectContaining({ name: 'HostError', code: 'ENOENT' }));
});
