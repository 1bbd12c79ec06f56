import { expect, test } from 'vitest';
import { CoprocessorError } from './coprocessor-error.ts';

function board(): { device: CoprocessorError; pins: () => { interrupt: boolean; ignored: boolean } } {
  let interrupt = false;
  let ignored = false;
  const device = new CoprocessorError({
    interrupt: { set: (asserted) => (interrupt = asserted) },
    setIgnoreFloatError: (value) => (ignored = value),
  });
  return { device, pins: () => ({ interrupt, ignored }) };
}

test('FERR# raises the interrupt, a write lowers it and asserts IGNNE# until FERR# goes', () => {
  const { device, pins } = board();
  device.setError(true);
  expect(pins()).toEqual({ interrupt: true, ignored: false });
  device.write(0, 1, 0);
  expect(pins()).toEqual({ interrupt: false, ignored: true });
  device.setError(false);
  expect(pins()).toEqual({ interrupt: false, ignored: false });
});

test('a write without an error asserts nothing, and a reset takes both back', () => {
  const { device, pins } = board();
  device.write(0, 1, 0);
  expect(pins()).toEqual({ interrupt: false, ignored: false });
  device.setError(true);
  device.write(0, 1, 0);
  device.reset();
  expect(pins()).toEqual({ interrupt: false, ignored: false });
  expect(device.read(0, 1)).toBe(0xff);
});
