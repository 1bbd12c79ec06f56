import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { countDescriptors, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { openLibc } from './libc.ts';
import { MachineClaim } from './machine-claim.ts';

const folder = temporaryFolder();
const claim = (name: string): MachineClaim => new MachineClaim(openLibc(), folder, name);
const lockOf = (name: string): string => join(folder, `.${name}.lock`);

nodesTest('a name has one holder at a time, and the second is told who it is', () => {
  const before = countDescriptors();
  {
    using first = claim('vm');
    expect(() => claim('vm')).toThrow(
      expect.objectContaining({ code: 'EEXIST', message: `a machine vm is running already (process ${process.pid})` }),
    );
    using other = claim('vm2');
    expect([first.name, other.name]).toEqual(['vm', 'vm2']);
  }
  using _again = claim('vm');
  expect(countDescriptors()).toBe(before + 1);
});

nodesTest('given back, a name leaves no file', () => {
  claim('short')[Symbol.dispose]();
  expect(existsSync(lockOf('short'))).toBe(false);
});

nodesTest('the file that a killed process has left says nothing', () => {
  writeFileSync(lockOf('killed'), '1\n');
  using _claim = claim('killed');
  expect(readFileSync(lockOf('killed'), 'utf8')).toBe(`${process.pid}\n`);
});

nodesTest('a holder who has not said yet who it is, is another process', () => {
  using _claim = claim('silent');
  writeFileSync(lockOf('silent'), '');
  expect(() => claim('silent')).toThrow('a machine silent is running already (another process)');
});

nodesTest("whoever lost its file does not remove the next one's", () => {
  const first = claim('lost');
  rmSync(lockOf('lost'));
  using _second = claim('lost');
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(() => claim('lost')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
});

nodesTest('a lock file that is a link is refused', () => {
  symlinkSync('/etc/passwd', lockOf('link'));
  expect(() => claim('link')).toThrow(expect.objectContaining({ code: 'ELOOP' }));
});

nodesTest('a run folder that is gone is said to be', () => {
  expect(() => new MachineClaim(openLibc(), join(folder, 'none'), 'vm')).toThrow(
    expect.objectContaining({
      code: 'ENOENT',
      message: 'cannot claim the name vm: no such file or directory (ENOENT)',
    }),
  );
});
