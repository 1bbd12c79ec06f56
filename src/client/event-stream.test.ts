import { describe, expect, test } from 'vitest';
import { parseEvents } from './event-stream.ts';

const STREAM =
  ':\n\nid: 1\nevent: state\ndata: {"state":"running"}\n\nevent: map\ndata: ü\ndata: 2\n\ndata: plain\n\nid: 9\n\nevent: half';

async function* inPieces(length: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(STREAM);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

describe('a stream of server-sent events', () => {
  test.each([1, 2, 3, 7, 1000])('comes apart the same whatever pieces it comes in (%i bytes)', async (length) => {
    const events = [];
    for await (const event of parseEvents(inPieces(length))) events.push(event);
    expect(events).toEqual([
      { kind: 'state', data: '{"state":"running"}' },
      { kind: 'map', data: 'ü\n2' },
      { kind: 'message', data: 'plain' },
    ]);
  });
});
