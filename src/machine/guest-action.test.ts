import { expect, test } from 'vitest';
import { GuestAction } from './guest-action.ts';

test('outside of any access the machine itself is the cause', () => {
  expect(new GuestAction().describe()).toBe('machine');
});

test.each([
  ['a byte to a port', 0x92, 1, 0x2, 'out 0092 = 02'],
  ['a word to a port', 0x510, 2, 0x19, 'out 0510 = 0019'],
  ['a dword to a port', 0x518, 4, 0x8000_0000, 'out 0518 = 80000000'],
  ['the first byte of configuration data', 0xcfc, 1, 0x30, 'pci 02.0 [10] = 30'],
  ['the last byte of configuration data', 0xcff, 1, 0xe0, 'pci 02.0 [13] = e0'],
  ['a word of configuration data', 0xcfe, 2, 0xe000, 'pci 02.0 [12] = e000'],
  ['a dword of configuration data', 0xcfc, 4, 0xe000_0000, 'pci 02.0 [10] = e0000000'],
])('%s is named', (_what, port, size, value, words) => {
  const action = new GuestAction();
  action.portWrite(0xcf8, 4, 0x8000_1010);
  action.portWrite(port, size, value);
  expect(action.describe()).toBe(words);
});

test('a store to a device is named by its address', () => {
  const action = new GuestAction();
  action.mmioWrite(0xfebf_0504, 2, 0x400);
  expect(action.describe()).toBe('store febf0504 = 0400');
});

test('what follows an access is not its doing', () => {
  const action = new GuestAction();
  action.portWrite(0x92, 1, 2);
  action.done();
  expect(action.describe()).toBe('machine');
});

test('a narrow write at CF8h does not select a function', () => {
  const action = new GuestAction();
  action.portWrite(0xcf8, 4, 0x8000_0058);
  action.portWrite(0xcf9, 1, 6);
  action.portWrite(0xcfc, 4, 0x33);
  expect(action.describe()).toBe('pci 00.0 [58] = 00000033');
});
