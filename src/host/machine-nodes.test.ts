import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { countDescriptors, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { MiB, PAGE_SIZE } from '../base/units.ts';
import { MachineNodes } from './machine-nodes.ts';
import { runFolderPath } from './run-folder.ts';

const folder = join(temporaryFolder(), 'run');

nodesTest('the run folder is made with the first machine, and nodes are where they are said to be', () => {
  using nodes = new MachineNodes({ name: 'vm', folder });
  using store = nodes.arenaStore({ capacity: 64 * MiB });
  expect([existsSync(nodes.path()), existsSync(nodes.path('rom'))]).toEqual([false, false]);
  store.allocate(PAGE_SIZE, { name: 'ram', kind: 'sysmem' });
  store.allocate(PAGE_SIZE, { name: 'rom', kind: 'devmem' });
  expect([existsSync(nodes.path()), existsSync(nodes.path('rom'))]).toEqual([true, true]);
});

nodesTest('a machine whose store nobody has ended leaves no node and no claim', () => {
  {
    using nodes = new MachineNodes({ name: 'vm', folder });
    nodes.arenaStore({ capacity: 64 * MiB }).allocate(PAGE_SIZE, { name: 'rom', kind: 'devmem' });
  }
  expect(readdirSync(folder)).toEqual([]);
});

nodesTest('a name that cannot be had leaves nothing open', () => {
  using _nodes = new MachineNodes({ name: 'vm', folder });
  const before = countDescriptors();
  for (const name of ['vm', 'a.b', ''])
    expect(() => new MachineNodes({ name, folder })).toThrow(expect.objectContaining({ name: 'HostError' }));
  expect(countDescriptors()).toBe(before);
});

nodesTest('a node that stands in the way of the claim is said to, and the name is free again', () => {
  mkdirSync(join(folder, '.odd.lock'));
  expect(() => new MachineNodes({ name: 'odd', folder })).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  using _nodes = new MachineNodes({ name: 'even', folder });
});

nodesTest('said nothing, a machine is in the run folder of its user', () => {
  const before = process.env.SKEP_RUNDIR;
  process.env.SKEP_RUNDIR = join(folder, 'chosen');
  try {
    using nodes = new MachineNodes({ name: 'vm' });
    expect([nodes.folder, nodes.path('rom')]).toEqual([runFolderPath(), join(folder, 'chosen', 'vm.rom')]);
  } finally {
    if (before === undefined) delete process.env.SKEP_RUNDIR;
    else process.env.SKEP_RUNDIR = before;
  }
});
