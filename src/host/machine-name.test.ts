import { expect, test } from 'vitest';
import { checkMachineName, LONGEST_MACHINE_NAME } from './machine-name.ts';

test.each([
  'a',
  'testvm',
  '-v',
  'two words',
  'Zürich',
  '虚拟机',
  '~',
  'x'.repeat(LONGEST_MACHINE_NAME),
  'é'.repeat(114),
])('%j names a machine', (name) => expect(() => checkMachineName(name)).not.toThrow());

test.each([
  '',
  '.',
  '..',
  'a.b',
  '.a',
  'a.',
  'a/b',
  '/',
  'a\0',
  'a\n',
  '\u007f',
  'a\u0085',
  '\ud800',
  'x'.repeat(LONGEST_MACHINE_NAME + 1),
  'é'.repeat(115),
])('%j is refused as a name with EINVAL', (name) =>
  expect(() => checkMachineName(name)).toThrow(expect.objectContaining({ name: 'HostError', code: 'EINVAL' })),
);
