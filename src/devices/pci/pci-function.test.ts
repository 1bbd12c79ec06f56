import { expect, test } from 'vitest';
import { PciFunction } from './pci-function.ts';

const identity = { vendor: 0x1234, device: 0x5678, classCode: 0x01_02_03, revision: 9 };

test('the header says who it is, byte by byte, and a guest cannot change that', () => {
  const { config } = new PciFunction({ name: 'x', identity, multifunction: true, interruptPin: 2, capabilities: 0x40 });
  const header = (): number[] => Array.from({ length: 0x40 }, (_, at) => config.read(at, 1));
  const expected = Array.from({ length: 0x40 }, () => 0);
  const fields: Record<number, number[]> = {
    0x00: [0x34, 0x12, 0x78, 0x56, 0, 0, 0x10, 0, 9, 3, 2, 1, 0, 0, 0x80],
    0x2c: [0xf4, 0x1a, 0x00, 0x11],
    0x34: [0x40],
    0x3d: [2],
  };
  for (const [offset, bytes] of Object.entries(fields)) expected.splice(Number(offset), bytes.length, ...bytes);
  expect(header()).toEqual(expected);
  for (let at = 0; at < 0x40; at += 4) config.write(at, 4, 0xffff_ffff);
  const writable: Record<number, number> = { 0x04: 0x07, 0x05: 0x05, 0x0c: 0xff, 0x3c: 0xff };
  for (const [offset, value] of Object.entries(writable)) expected[Number(offset)] = value;
  expect(header()).toEqual(expected);
});

test('the interrupt pin follows the device unless the command register silences it; the status bit always does', () => {
  const levels: boolean[] = [];
  const pci = new PciFunction({ name: 'x', identity, interrupt: { set: (level) => levels.push(level) } });
  const pending = (): boolean => (pci.config.read(0x06, 2) & 0x08) !== 0;
  pci.line.set(true);
  expect([levels.at(-1), pending()]).toEqual([true, true]);
  pci.config.write(0x04, 2, 0x0400);
  expect([levels.at(-1), pending()]).toEqual([false, true]);
  pci.config.write(0x04, 2, 0);
  expect(levels.at(-1)).toBe(true);
  pci.config.write(0x06, 2, 0xffff);
  expect(pending()).toBe(true);
  pci.reset();
  expect([levels.at(-1), pending()]).toEqual([false, false]);
});

// spec 17: FreeBSD rS325900, rS325039, PR 222937: a device kept its bus mastering, and went on with DMA after the VM's end
test('a reset takes bus mastering away, and every other bit of the command register', () => {
  const pci = new PciFunction({ name: 'x', identity });
  pci.config.write(0x04, 2, 0xffff);
  expect(pci.isBusMaster).toBe(true);
  pci.reset();
  expect([pci.isBusMaster, pci.config.read(0x04, 2)]).toEqual([false, 0]);
});

test('the interrupt’s bit of the status register comes and goes alone', () => {
  const pci = new PciFunction({ name: 'x', identity, interruptPin: 1, status: 0x280 });
  const seen = [false, true, false].map((asserted) => {
    pci.line.set(asserted);
    return pci.config.read(0x06, 2);
  });
  expect(seen).toEqual([0x280, 0x288, 0x280]);
});

test('bus mastering is the guest’s to allow', () => {
  const pci = new PciFunction({ name: 'x', identity });
  expect(pci.isBusMaster).toBe(false);
  pci.config.write(0x04, 1, 4);
  expect(pci.isBusMaster).toBe(true);
});
