import { connect as connectSocket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ControlledMachine, COUNTING, ECHO, JUMPING, until } from './controlled-machine.ts';

/** Bytes that differ from place to place. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

describe('bytes', () => {
  test('of 2 MiB go there and back in pieces, to a segment and to an address, while the guest computes', async () => {
    await using controlled = await ControlledMachine.start(COUNTING, { memory: 8 * 1024 * 1024 });
    const { client } = controlled;
    const bytes = pattern(2 * 1024 * 1024 + 13, 7);
    expect(await client.write('ram', bytes, { offset: 0x12_3457 })).toBe(bytes.length);
    expect(Buffer.compare(await client.read('ram', { offset: 0x12_3457, length: bytes.length }), bytes)).toBe(0);
    expect(Buffer.compare(await client.read(0x12_3457, { length: bytes.length }), bytes)).toBe(0);
    expect(await client.write(0x20_0001, bytes)).toBe(bytes.length);
    expect(Buffer.compare(await client.read(0x20_0001, { length: bytes.length }), bytes)).toBe(0);
  });

  test('come from a stream of unknown length, up to where the segment ends', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const { client } = controlled;
    const pieces = async function* (count: number): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < count; i++) yield pattern(10_000, i);
    };
    expect(await client.write('ram', pieces(30), { offset: 0x10_0000 })).toBe(300_000);
    expect(await client.read('ram', { offset: 0x10_0000 + 290_000, length: 10_000 })).toEqual(pattern(10_000, 29));
    await expect(client.write('ram', pieces(1000), { offset: 0x10_0000 })).rejects.toMatchObject({
      code: 'range-not-satisfiable',
    });
    expect((await client.facts()).state).toBe('running');
  });

  test('that are refused change nothing', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const { client } = controlled;
    const before = await client.read('ram', { offset: (4 << 20) - 4096 });
    await expect(client.write(0x3f_f000, new Uint8Array(4097).fill(1))).rejects.toMatchObject({ code: 'not-backed' });
    await expect(client.write('ram', new Uint8Array(4097).fill(1), { offset: 0x3f_f000 })).rejects.toMatchObject({
      code: 'range-not-satisfiable',
    });
    expect(await client.read('ram', { offset: (4 << 20) - 4096 })).toEqual(before);
  });

  test.each([
    [
      'through the socket, to the segment',
      (controlled: ControlledMachine, code: Uint8Array) => controlled.client.write('ram', code, { offset: 0x2000 }),
    ],
    [
      'through the socket, to the address',
      (controlled: ControlledMachine, code: Uint8Array) => controlled.client.write(0x2000, code),
    ],
    [
      'past the socket, and told to it by segment',
      async (controlled: ControlledMachine, code: Uint8Array) => {
        controlled.machine.memory.segment('ram')?.bytes.set(code, 0x2000);
        await controlled.client.codeWritten({ segment: 'ram', offset: 0x2000, length: code.length });
      },
    ],
    [
      'past the socket, and told to it by address',
      async (controlled: ControlledMachine, code: Uint8Array) => {
        controlled.machine.memory.segment('ram')?.bytes.set(code, 0x2000);
        await controlled.client.codeWritten({ gpa: 0x2000, length: code.length });
      },
    ],
  ])('that are code, written %s, are what the guest executes from then on', async (_how, write) => {
    await using controlled = await ControlledMachine.start(JUMPING);
    const said = async (): Promise<number> =>
      (await controlled.client.read('ram', { offset: 0x1000, length: 1 }))[0] ?? 0;
    await until(async () => (await said()) === 1);
    await write(controlled, Uint8Array.of(0xb0, 0x02));
    await until(async () => (await said()) === 2);
  });
});

describe('the serial port', () => {
  test('takes a stream at the pace of the guest, and gives all of it back', async () => {
    await using controlled = await ControlledMachine.start(ECHO);
    const sent = pattern(100_000, 3);
    const received: Uint8Array[] = [];
    const reading = (async () => {
      for await (const bytes of controlled.client.serialOutput()) {
        received.push(bytes);
        if (Buffer.concat(received).length >= sent.length) break;
      }
    })();
    await controlled.client.serialInput(sent);
    await reading;
    expect(Buffer.compare(Buffer.concat(received), sent)).toBe(0);
  });

  test('keeps the last 64 KiB for those who come late, unless they do not want it', async () => {
    await using controlled = await ControlledMachine.start(ECHO);
    const sent = pattern(80_000, 4);
    await controlled.client.serialInput(sent);
    await until(() => controlled.machine.serialInputWaiting === 0);
    await until(() => Buffer.compare(controlled.serial.history(), sent.subarray(-65_536)) === 0);
    for await (const bytes of controlled.client.serialOutput()) {
      expect(Buffer.compare(bytes.subarray(0, 100), sent.subarray(-65_536).subarray(0, 100))).toBe(0);
      break;
    }
    const silent = new AbortController();
    setTimeout(() => silent.abort(), 200);
    const late = controlled.client.serialOutput({ replay: false, signal: silent.signal });
    expect(await late.next()).toMatchObject({ done: true });
  });

  test('cuts off a reader that does not read, and nobody else', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const slow = connectSocket(controlled.path);
    let closed = false;
    slow.on('close', () => (closed = true)).on('error', () => {});
    slow.write('GET /serial/output HTTP/1.1\r\nhost: skep\r\n\r\n');
    slow.pause();
    let heard = 0;
    const reading = (async () => {
      for await (const bytes of controlled.client.serialOutput()) heard += bytes.length;
    })();
    await new Promise((resume) => setTimeout(resume, 200));
    let said = 0;
    for (; said < 8 << 20; said += 65_536) {
      controlled.serial.write(new Uint8Array(65_536));
      await until(() => heard === said + 65_536);
    }
    slow.resume();
    await until(() => closed);
    await controlled.client.stop();
    await controlled.running;
    await controlled.control[Symbol.asyncDispose]();
    await reading;
    expect(heard).toBe(said);
  });
});
