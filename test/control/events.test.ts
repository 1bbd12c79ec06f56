import { connect as connectSocket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { MachineEvent } from '../../src/client/index.ts';
import { gpa } from '../../src/index.ts';
import { ControlledMachine, COUNTING, until } from './controlled-machine.ts';

/** Reads events until so many have come. */
async function take(events: AsyncIterable<MachineEvent>, count: number): Promise<MachineEvent[]> {
  const taken: MachineEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length >= count) break;
  }
  return taken;
}

/** Moves the framebuffer of a machine that has no guest to do it. */
function move(controlled: ControlledMachine, address: number): void {
  const { memory } = controlled.machine;
  const segment = memory.segment('framebuffer')!;
  memory.edit((edit) => {
    for (const mapping of memory.mappingsOf(segment)) edit.unmap(mapping);
    edit.map({ segment, gpa: gpa(address), prot: 'rw-' });
  });
}

describe('events', () => {
  test('begin with the state and the map as they are', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const [state, map] = await take(controlled.client.events(), 2);
    expect(state).toMatchObject({ kind: 'state', state: 'running' });
    expect(map).toMatchObject({ kind: 'map', cause: 'now', removed: [] });
    expect(map?.kind === 'map' && map.added).toEqual(await controlled.client.map());
  });

  test('tell map edits, pauses, resets and the end in order, to two readers alike', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const readers = [
      take(controlled.client.events([], { replay: false }), 99),
      take(controlled.client.events([], { replay: false }), 99),
    ];
    await new Promise((resume) => setTimeout(resume, 100));
    move(controlled, 0xe000_0000);
    move(controlled, 0xd000_0000);
    await controlled.client.pause();
    await controlled.client.resume();
    await controlled.client.reset();
    await controlled.client.stop();
    await controlled.running;
    await controlled.control[Symbol.asyncDispose]();
    const [first, second] = await Promise.all(readers);
    expect(second).toEqual(first);
    const words = first?.map((event) => {
      if (event.kind === 'map')
        return event.added.map((mapping) => `${mapping.segment}@${mapping.gpa.toString(16)}`).join();
      return event.kind === 'reset' ? `reset ${event.resets}` : `${event.state} ${event.reason ?? ''}`.trim();
    });
    expect(words?.slice(0, 4)).toEqual(['framebuffer@e0000000', 'framebuffer@d0000000', 'paused', 'running']);
    expect(words?.slice(-2)).toEqual(['reset 1', 'stopped stopped']);
  });

  test('come in the kinds that were asked for', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const taken = take(controlled.client.events('state'), 2);
    await new Promise((resume) => setTimeout(resume, 100));
    move(controlled, 0xe000_0000);
    await controlled.client.pause();
    expect((await taken).map((event) => event.kind)).toEqual(['state', 'state']);
  });

  test('of a map of 5,000 mappings begin in pieces, and none is missing', async () => {
    await using controlled = await ControlledMachine.start(COUNTING, { idle: true });
    const { memory } = controlled.machine;
    const segment = memory.segment('framebuffer')!;
    memory.edit((edit) => {
      for (let i = 0; i < 5_000; i++) edit.map({ segment, gpa: gpa(2 ** 33 + 8192 * i), length: 4096, prot: 'r--' });
    });
    expect(await controlled.client.map()).toHaveLength(5_004);
    const seen = new Set<number>();
    for await (const event of controlled.client.events('map')) {
      for (const { gpa } of event.added) seen.add(gpa);
      if (event.added.length < 256) break;
    }
    expect(seen.size).toBe(5_004);
  });

  test('cut off a reader that does not read, and nobody else, and the guest goes on', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const slow = connectSocket(controlled.path);
    let closed = false;
    slow.on('close', () => (closed = true)).on('error', () => {});
    slow.write('GET /events?replay=false HTTP/1.1\r\nhost: skep\r\n\r\n');
    slow.pause();
    let heard = 0;
    const reading = (async () => {
      for await (const event of controlled.client.events('map', { replay: false })) heard += event.added.length;
    })();
    await new Promise((resume) => setTimeout(resume, 100));
    let moves = 0;
    for (; controlled.control.droppedReaders === 0 && moves < 50_000; moves++) {
      move(controlled, 0xd000_0000 + (moves % 2) * 0x1000_0000);
      if (moves % 50 === 0) await new Promise((resume) => setImmediate(resume));
    }
    expect(controlled.control.droppedReaders).toBe(1);
    slow.resume();
    await until(() => closed);
    await until(() => heard === moves);
    expect((await controlled.client.facts()).state).toBe('running');
    await controlled.client.stop();
    await controlled.running;
    await controlled.control[Symbol.asyncDispose]();
    await reading;
  });
});
