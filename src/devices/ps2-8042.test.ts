import { describe, expect, it } from 'vitest';

import { ManualClock } from '../base/clock.ts';
import { MILLISECOND, SECOND } from '../base/units.ts';
import { Ps2Controller } from './ps2-8042.ts';
import type { Key } from './scan-code.ts';

function controller() {
  const clock = new ManualClock();
  const irq1 = { level: false, rises: 0 };
  const irq12 = { level: false, rises: 0 };
  const lineTo = (line: typeof irq1) => ({
    set(level: boolean) {
      if (level && !line.level) line.rises++;
      line.level = level;
    },
  });
  const a20: boolean[] = [];
  const resets = { count: 0 };
  const ps2 = new Ps2Controller({
    clock,
    keyboardInterrupt: lineTo(irq1),
    mouseInterrupt: lineTo(irq12),
    setA20: (open) => a20.push(open),
    requestReset: () => resets.count++,
  });
  const command = (value: number, ...data: number[]): void => {
    ps2.command.write(0, 1, value);
    for (const byte of data) ps2.data.write(0, 1, byte);
  };
  const write = (value: number): void => ps2.data.write(0, 1, value);
  const status = (): number => ps2.command.read(0, 1);
  /** Everything that there is to read. */
  const drain = (): number[] => {
    const bytes: number[] = [];
    while ((status() & 1) !== 0) bytes.push(ps2.data.read(0, 1));
    return bytes;
  };
  /** A command to the keyboard or the mouse, byte by byte, and all that it answers. */
  const tell = (...bytes: number[]): number[] => bytes.flatMap((byte) => (write(byte), drain()));
  const tellMouse = (...bytes: number[]): number[] => bytes.flatMap((byte) => (command(0xd4, byte), drain()));
  return { ps2, clock, irq1, irq12, a20, resets, command, write, status, drain, tell, tellMouse };
}

const ACK = 0xfa;

describe('the controller', () => {
  it.each([
    ['its own test', 0xaa, 0x55],
    ['the keyboard’s lines', 0xab, 0x00],
    ['the mouse’s lines', 0xa9, 0x00],
    ['the configuration byte', 0x20, 0x03],
    ['the input port', 0xc0, 0x80],
    ['the output port', 0xd0, 0xcf],
    ['the password', 0xa4, 0xf1],
  ])('answers for %s: %i', (_name, value, answer) => {
    const { command, drain } = controller();
    command(value);
    expect(drain()).toEqual([answer]);
  });

  it('keeps its 32 bytes of memory, the first of them the configuration', () => {
    const { command, drain } = controller();
    for (let i = 0; i < 32; i++) command(0x60 + i, 0x40 + i);
    for (let i = 0; i < 32; i++) {
      command(0x20 + i);
      expect(drain()).toEqual([0x40 + i]);
    }
  });

  it.each([
    [0xa7, 0x23],
    [0xa8, 0x03],
    [0xad, 0x13],
    [0xae, 0x03],
  ])('command %i turns a device on or off in the configuration', (value, config) => {
    const { command, drain } = controller();
    command(value);
    command(0x20);
    expect(drain()).toEqual([config]);
  });

  it('shows in the status what was written last, the system flag, and whose byte waits', () => {
    const { command, drain, status, write } = controller();
    expect(status()).toBe(0x10);
    command(0xaa);
    expect(status()).toBe(0x1d);
    drain();
    write(0xee);
    expect(status()).toBe(0x15);
    drain();
    command(0xd3, 0x99);
    expect(status()).toBe(0x35);
    expect(drain()).toEqual([0x99]);
    command(0xd2, 0x98);
    expect(status()).toBe(0x15);
    expect(drain()).toEqual([0x98]);
  });

  it('tells of A20 on every write, and shows it in the output port', () => {
    const { command, a20, drain } = controller();
    command(0xd1, 0xdd);
    command(0xd1, 0xdd);
    command(0xd0);
    expect(drain()).toEqual([0xcd]);
    command(0xd1, 0xdf);
    command(0xdd);
    command(0xdf);
    expect(a20).toEqual([false, false, true, false, true]);
  });

  it('resets the machine by pulse commands with bit 0 clear, and by the output port', () => {
    for (let pulse = 0xf0; pulse <= 0xff; pulse++) {
      const { command, resets } = controller();
      command(pulse);
      expect(resets.count).toBe(pulse & 1 ? 0 : 1);
    }
    const { command, resets } = controller();
    command(0xd1, 0xde);
    expect(resets.count).toBe(1);
  });

  it('puts its answer before a byte that waits, and loses neither', () => {
    const { ps2, command, drain } = controller();
    ps2.keyboard.press('KeyA');
    command(0x20);
    expect(drain()).toEqual([0x03, 0x1c]);
  });

  it('holds back the bytes of a device that is off', () => {
    const { ps2, command, drain, tellMouse } = controller();
    tellMouse(0xf4);
    command(0xad);
    command(0xa7);
    ps2.keyboard.press('KeyA');
    ps2.mouse.move({ dx: 1 });
    expect(drain()).toEqual([]);
    command(0xa8);
    expect(drain()).toEqual([0x08, 1, 0]);
    command(0xae);
    expect(drain()).toEqual([0x1c]);
  });

  it('interrupts once for each byte, on the line of its device, if the configuration wants it', () => {
    const { ps2, irq1, irq12, command, drain, tellMouse } = controller();
    ps2.keyboard.press('ArrowUp');
    expect([irq1.level, irq12.level]).toEqual([true, false]);
    drain();
    expect(irq1).toEqual({ level: false, rises: 2 });
    tellMouse(0xf4);
    irq12.rises = 0;
    ps2.mouse.move({ dx: 1 });
    drain();
    expect(irq12).toEqual({ level: false, rises: 3 });
    command(0x60, 0x00);
    ps2.keyboard.release('ArrowUp');
    expect(irq1.level).toBe(false);
  });

  it('an empty output buffer reads as what was there last', () => {
    const { ps2, tell } = controller();
    tell(0xee);
    expect(ps2.data.read(0, 1)).toBe(0xee);
  });

  it('a reset restores it all and opens A20', () => {
    const { ps2, command, a20, drain, status, tell, irq1 } = controller();
    command(0x60, 0x74);
    command(0xdd);
    tell(0xed, 0x07);
    ps2.keyboard.press('KeyA');
    ps2.reset();
    expect([status(), drain(), a20, ps2.keyboard.leds, irq1.level]).toEqual([0x10, [], [false, true], 0, false]);
    command(0x20);
    expect(drain()).toEqual([0x03]);
  });
});

describe('the keyboard', () => {
  it.each([
    ['echo', [0xee], [0xee]],
    ['identify', [0xf2], [ACK, 0xab, 0x83]],
    ['lights', [0xed, 0x02], [ACK, ACK]],
    ['typematic', [0xf3, 0x00], [ACK, ACK]],
    ['which set', [0xf0, 0x00], [ACK, ACK, 2]],
    ['another set', [0xf0, 0x03, 0xf0, 0x00], [ACK, ACK, ACK, ACK, 3]],
    ['a set that there is not', [0xf0, 0x04], [ACK, 0xfe]],
    ['enable', [0xf4], [ACK]],
    ['disable', [0xf5], [ACK]],
    ['defaults', [0xf6], [ACK]],
    ['key types', [0xf7, 0xf8, 0xf9, 0xfa], [ACK, ACK, ACK, ACK]],
    ['types of some keys', [0xfd, 0x1c, 0x1b, 0xf4], [ACK, ACK, ACK, ACK]],
    ['reset', [0xff], [ACK, 0xaa]],
    ['resend', [0xff, 0xfe], [ACK, 0xaa, 0xaa]],
    ['no command', [0x12], [0xfe]],
    ['no command', [0xef], [0xfe]],
    ['a command in place of an argument', [0xed, 0xf4], [ACK, ACK]],
  ])('answers to %s', (_name, bytes, answer) => {
    const { tell } = controller();
    expect(tell(...bytes)).toEqual(answer);
  });

  it('remembers its lights', () => {
    const { ps2, tell } = controller();
    tell(0xed, 0x05);
    expect(ps2.keyboard.leds).toBe(5);
  });

  it.each<[string, number, number, Key, number[], number[]]>([
    ['set 2', 0x03, 2, 'ArrowUp', [0xe0, 0x75], [0xe0, 0xf0, 0x75]],
    ['set 2 translated', 0x43, 2, 'ArrowUp', [0xe0, 0x48], [0xe0, 0xc8]],
    ['set 2 translated', 0x43, 2, 'F7', [0x41], [0xc1]],
    ['set 1', 0x03, 1, 'ArrowUp', [0xe0, 0x48], [0xe0, 0xc8]],
    ['set 3', 0x03, 3, 'ArrowUp', [0x63], [0xf0, 0x63]],
  ])('sends keys in %s', (_name, config, set, key, make, end) => {
    const { ps2, command, tell, drain } = controller();
    tell(0xf0, set);
    command(0x60, config);
    ps2.keyboard.press(key);
    expect(drain()).toEqual(make);
    ps2.keyboard.release(key);
    expect(drain()).toEqual(end);
  });

  it('its identity is translated too, as software expects', () => {
    const { command, tell } = controller();
    command(0x60, 0x43);
    expect(tell(0xf2)).toEqual([ACK, 0xab, 0x41]);
  });

  it('says nothing while disabled, and starts afresh when enabled', () => {
    const { ps2, tell, drain } = controller();
    ps2.keyboard.press('KeyA');
    drain();
    tell(0xf5);
    ps2.keyboard.release('KeyA');
    expect(ps2.keyboard.press('KeyB')).toBe(false);
    expect(drain()).toEqual([]);
    tell(0xf4);
    expect(ps2.keyboard.press('KeyB')).toBe(true);
    expect(drain()).toEqual([0x32]);
  });

  it('a reply does not come between a prefix and its code', () => {
    const { ps2, drain, write } = controller();
    ps2.keyboard.press('ArrowUp');
    write(0xee);
    expect(drain()).toEqual([0xe0, 0x75, 0xee]);
  });

  it('repeats the last key after half a second, 10.9 times a second, until it is released', () => {
    const { ps2, clock, drain } = controller();
    ps2.keyboard.press('KeyA');
    ps2.keyboard.press('KeyB');
    expect(ps2.keyboard.press('KeyB')).toBe(true);
    expect(drain()).toEqual([0x1c, 0x32]);
    clock.advance(500 * MILLISECOND - 1);
    expect(drain()).toEqual([]);
    clock.advance(1);
    expect(drain()).toEqual([0x32]);
    clock.advance(SECOND);
    expect(drain().length).toBe(10);
    ps2.keyboard.release('KeyB');
    expect(drain()).toEqual([0xf0, 0x32]);
    clock.advance(SECOND);
    expect(drain()).toEqual([]);
  });

  it('repeats as fast and as soon as it was told', () => {
    const { ps2, clock, drain, tell } = controller();
    tell(0xf3, 0x00);
    ps2.keyboard.press('KeyA');
    clock.advance(250 * MILLISECOND - 1);
    expect(drain().length).toBe(1);
    clock.advance(1);
    expect(drain().length).toBe(1);
    clock.advance(SECOND);
    expect(drain().length).toBe(30);
  });

  it.each([
    [0xf7, [0x1c, 0x1c]],
    [0xf8, [0x1c, 0xf0, 0x1c]],
    [0xf9, [0x1c]],
    [0xfa, [0x1c, 0x1c, 0xf0, 0x1c]],
  ])('in set 3 obeys type command %i', (type, codes) => {
    const { ps2, clock, drain, tell } = controller();
    tell(0xf0, 3, type);
    ps2.keyboard.press('KeyA');
    clock.advance(550 * MILLISECOND);
    ps2.keyboard.release('KeyA');
    expect(drain()).toEqual(codes);
  });

  it('drops whole presses when full, and no key gets stuck', () => {
    const { ps2, drain } = controller();
    const keys: readonly Key[] = ['PrintScreen', 'KeyA', 'ArrowLeft', 'Enter', 'NumpadEnter'];
    let dropped = 0;
    for (let i = 0; i < 500; i++) {
      const key = keys[i % keys.length] ?? 'KeyA';
      if (!ps2.keyboard.press(key)) dropped++;
      if (i % 3 === 0) ps2.keyboard.release(key);
    }
    ps2.keyboard.releaseAll();
    const bytes = drain();
    expect(dropped).toBeGreaterThan(0);
    expect(bytes.length).toBeLessThanOrEqual(257);
    expect(downAfter(bytes)).toEqual(new Set());
  });
});

/** Which keys of a stream in set 2 are down at its end. Throws at what is no sequence. */
function downAfter(bytes: readonly number[]): Set<string> {
  const down = new Set<string>();
  for (let i = 0; i < bytes.length; i++) {
    const prefix = bytes[i] === 0xe0 ? 'e0 ' : '';
    if (prefix !== '') i++;
    const released = bytes[i] === 0xf0;
    if (released) i++;
    const code = bytes[i];
    if (code === undefined || code >= 0x84) throw new Error(`no code: ${code}`);
    if (released) down.delete(prefix + code);
    else down.add(prefix + code);
  }
  return down;
}

describe('the mouse', () => {
  it.each([
    ['reset', [0xff], [ACK, 0xaa, 0x00]],
    ['identify', [0xf2], [ACK, 0x00]],
    ['status', [0xe9], [ACK, 0x00, 2, 100]],
    ['status after changes', [0xe8, 3, 0xf3, 40, 0xe7, 0xf4, 0xf0, 0xe9], Array(7).fill(ACK).concat(ACK, 0x70, 3, 40)],
    ['read data', [0xeb], [ACK, 0x08, 0, 0]],
    ['wrap mode', [0xee, 0x12, 0xf2, 0xec, 0xf2], [ACK, 0x12, 0xf2, ACK, ACK, 0x00]],
    ['resend', [0xf2, 0xfe], [ACK, 0x00, ACK, 0x00]],
    ['no command', [0x12], [0xfe]],
    ['wheel', [0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2], Array(7).fill(ACK).concat(3)],
    ['wheel, then reset', [0xf3, 200, 0xf3, 100, 0xf3, 80, 0xff, 0xf2], Array(7).fill(ACK).concat(0xaa, 0, ACK, 0)],
    ['buttons without the wheel', [0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2], Array(7).fill(ACK).concat(0)],
  ])('answers to %s', (_name, bytes, answer) => {
    const { tellMouse } = controller();
    expect(tellMouse(...bytes)).toEqual(answer);
  });

  const wheel = [0xf3, 200, 0xf3, 100, 0xf3, 80];
  const sideButtons = [...wheel, 0xf3, 200, 0xf3, 200, 0xf3, 80];
  it.each([
    ['right and up', [], { dx: 5, dy: 7 }, [0x08, 5, 7]],
    ['left and down', [], { dx: -5, dy: -7 }, [0x38, 0xfb, 0xf9]],
    ['buttons', [], { buttons: 7 }, [0x0f, 0, 0]],
    ['far, in two packets', [], { dx: 300 }, [0x08, 255, 0, 0x08, 45, 0]],
    ['far left', [], { dx: -300 }, [0x18, 1, 0, 0x18, 0xd3, 0]],
    ['2:1', [0xe7], { dx: 3, dy: -6 }, [0x28, 3, 0xf4]],
    ['the wheel', wheel, { dz: -1 }, [0x08, 0, 0, 0xff]],
    ['five buttons', sideButtons, { dz: 1, buttons: 0x1c }, [0x0c, 0, 0, 0x31]],
    ['a wheel that nobody asked for', [], { dz: 1 }, []],
  ])('reports %s', (_name, setup, movement, packets) => {
    const { ps2, drain, tellMouse } = controller();
    tellMouse(...setup, 0xf4);
    ps2.mouse.move(movement);
    expect(drain()).toEqual(packets);
  });

  it('reports nothing until it is told to, nor in remote mode unless asked', () => {
    const { ps2, drain, tellMouse } = controller();
    ps2.mouse.move({ dx: 1 });
    expect(drain()).toEqual([]);
    tellMouse(0xf4, 0xf0);
    ps2.mouse.move({ dx: 2, buttons: 1 });
    expect(drain()).toEqual([]);
    expect(tellMouse(0xeb)).toEqual([ACK, 0x09, 2, 0]);
  });

  it('adds up what a slow guest does not read, and sends whole packets', () => {
    const { ps2, drain, tellMouse } = controller();
    tellMouse(0xf4);
    for (let i = 0; i < 1000; i++) ps2.mouse.move({ dx: 1, dy: -1 });
    const bytes = drain();
    let x = 0;
    for (let i = 0; i < bytes.length; i += 3) {
      expect(bytes[i]).toBe(0x28);
      x += bytes[i + 1] ?? 0;
    }
    expect([bytes.length % 3, x]).toEqual([0, 1000]);
  });
});
