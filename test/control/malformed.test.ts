import { connect as connectSocket, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random, SEED } from '../random.ts';
import { ControlledMachine, COUNTING, until } from './controlled-machine.ts';

let controlled: ControlledMachine;
beforeAll(async () => {
  controlled = await ControlledMachine.start(COUNTING);
});
afterAll(() => controlled[Symbol.asyncDispose]());

/** Sends bytes as they are and gives what comes back until the other side is silent or has closed. */
function exchange(bytes: string | Uint8Array, patience = 300): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connectSocket(controlled.path);
    let answer = '';
    const done = (): void => {
      clearTimeout(silence);
      socket.destroy();
      resolve(answer);
    };
    let silence = setTimeout(done, patience);
    socket.on('data', (piece) => {
      answer += piece.toString('latin1');
      clearTimeout(silence);
      silence = setTimeout(done, 30);
    });
    socket.on('close', done).on('error', () => {});
    socket.end(bytes);
  });
}

describe('what is not a request', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1.1 400 .*problem\+json/s],
    ['another protocol', Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3), /^HTTP\/1.1 400 /],
    ['an unknown method', 'SKEP /machine HTTP/1.1\r\nhost: s\r\n\r\n', /^HTTP\/1.1 400 /],
    ['no host', 'GET /machine HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
    ['too many headers', `GET /machine HTTP/1.1\r\nhost: s\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    ['too long a target', `GET /machine?${'x'.repeat(3_000)} HTTP/1.1\r\nhost: s\r\n\r\n`, /^HTTP\/1.1 413 /],
    [
      'two lengths',
      'PUT /memory/gpa/0/bytes HTTP/1.1\r\nhost: s\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
      /^HTTP\/1.1 400 /,
    ],
    [
      'a length and chunks',
      'PUT /memory/gpa/0/bytes HTTP/1.1\r\nhost: s\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^(HTTP\/1.1 400 .*)?$/s,
    ],
    [
      'a negative length',
      'PUT /memory/gpa/0/bytes HTTP/1.1\r\nhost: s\r\ncontent-length: -1\r\n\r\n',
      /^HTTP\/1.1 400 /,
    ],
    [
      'a length beyond all memory',
      'PUT /memory/gpa/0/bytes HTTP/1.1\r\nhost: s\r\ncontent-length: 9007199254740993\r\n\r\nx',
      /^HTTP\/1.1 4\d\d /,
    ],
    [
      'a bad chunk',
      'PUT /memory/segments/ram/bytes?offset=0x200000 HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n',
      /^(HTTP\/1.1 400 .*)?$/s,
    ],
    [
      'a body that stops early',
      'PUT /memory/segments/ram/bytes?offset=0x200000 HTTP/1.1\r\nhost: s\r\ncontent-length: 10\r\n\r\nabc',
      /^(HTTP\/1.1 400 .*)?$/s,
    ],
    [
      'an upgrade',
      'GET /machine HTTP/1.1\r\nhost: s\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      /^HTTP\/1.1 200 /,
    ],
    ['a tunnel', 'CONNECT s:1 HTTP/1.1\r\nhost: s\r\n\r\n', /^(HTTP\/1.1 [45]\d\d .*)?$/s],
  ])('%s, is refused', async (_what, bytes, expected) => {
    expect(await exchange(bytes)).toMatch(expected);
    expect((await controlled.client.facts()).state).toBe('running');
  });

  test(`is survived: 800 requests with random damage (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const whole = [
      'GET /memory/map HTTP/1.1\r\nhost: s\r\n\r\n',
      'GET /memory/segments/ram/bytes?offset=0x1000&length=16&format=hex HTTP/1.1\r\nhost: s\r\nrange: bytes=0-3\r\n\r\n',
      'PUT /memory/segments/framebuffer/bytes?offset=16 HTTP/1.1\r\nhost: s\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ndead',
      'PUT /memory/segments/framebuffer/bytes HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n',
      'POST /memory/code-written HTTP/1.1\r\nhost: s\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n{"segment":"ram","offset":4096,"length":2}',
      'GET /memory/at/0xfffffff0 HTTP/1.1\r\nhost: s\r\n\r\n',
    ];
    const one = async (): Promise<void> => {
      for (let round = 0; round < 100; round++) {
        const answer = await exchange(damage(random.pick(whole), random), 40);
        expect(answer).not.toMatch(/^HTTP\/1.1 5/);
        expect(answer).toMatch(/^($|HTTP\/1.1 )/);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    const { state, resets } = await controlled.client.facts();
    expect([state, resets]).toEqual(['running', 0]);
  });
});

/** Some bytes changed, taken out, put in or doubled. */
function damage(text: string, random: Random): Uint8Array {
  let bytes = Buffer.from(text, 'latin1');
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(bytes.length);
    const end = Math.min(bytes.length, at + random.below(8));
    const middle = [
      Buffer.of(random.byte()),
      Buffer.alloc(0),
      Buffer.from(bytes.toString('latin1', at, end).repeat(2), 'latin1'),
      Buffer.from(random.pick(['0x', '%', '\r\n', '/', '9'.repeat(30)])),
    ];
    bytes = Buffer.concat([bytes.subarray(0, at), random.pick(middle), bytes.subarray(end)]);
  }
  return bytes;
}

describe('too much', () => {
  test('of connections is closed at once, and those that were there are served', async () => {
    await using served = await ControlledMachine.start(COUNTING, { idle: true });
    const open = new Set<Socket>();
    for (let count = 0; count < 80; count++) {
      const socket = connectSocket(served.path).resume();
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => {});
    }
    await until(() => open.size <= 64);
    await new Promise((resume) => setTimeout(resume, 100));
    expect(open.size).toBeGreaterThan(50);
    const [first] = open;
    const answer = await new Promise<string>((resolve) => {
      first?.on('data', (piece) => resolve(piece.toString()));
      first?.write('GET /machine HTTP/1.1\r\nhost: s\r\n\r\n');
    });
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    for (const socket of open) socket.destroy();
    await new Promise((resume) => setTimeout(resume, 50));
    await until(async () => (await served.ask('/machine')).status === 200);
  });
});
