import type { ServerResponse } from 'node:http';
import { Lifetimes } from '../../base/disposable.ts';
import type { EventKind, EventOf } from '../../control/index.ts';
import { LIMITS } from '../../control/limits.ts';
import type { LifeEvent } from '../../machine/life-event.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Mapping } from '../../memory/index.ts';
import { mappingFacts } from './memory-facts.ts';
import type { Exchange } from './exchange.ts';

/** Milliseconds between two signs of life on a stream without events. */
const HEARTBEAT = 15_000;

/** One reader of events. */
interface Reader {
  readonly response: ServerResponse;
  readonly kinds: ReadonlySet<EventKind>;
  /** Events that are written with the next turn of the event loop, or once the reader has had the map as it is. */
  pending: string[];
  waiting: number;
  /** It is still being given the map as it is. */
  replaying: boolean;
}

/**
 * Tells readers what happens, as server-sent events (HTML, 9.2). Within a slice of the guest an event costs one piece of
 * text and no system call; all that has come together is written between slices. Who lets too much of it wait is cut off.
 */
export class EventFeed implements Disposable {
  readonly #machine: Machine;
  readonly #readers: Set<Reader> = new Set();
  readonly #lifetimes: Lifetimes = new Lifetimes();
  readonly #heartbeat: NodeJS.Timeout;
  #number = 0;
  #scheduled = false;
  #dropped = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    const { memory, life, action } = machine;
    this.#lifetimes.own(
      memory.observe(
        { changed: ({ removed, added }) => this.#tellMap(action.describe(), removed, added) },
        { replay: false },
      ),
    );
    this.#lifetimes.own(life.on((event) => this.#tellLife(event)));
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT).unref();
  }

  /** Readers that were cut off because they did not read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Answers with the stream. First, if asked for, comes how things are. */
  async attach(exchange: Exchange, kinds: readonly EventKind[], replay: boolean): Promise<void> {
    const { response } = exchange;
    const reader: Reader = { response, kinds: new Set(kinds), pending: [], waiting: 0, replaying: replay };
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    response.on('close', () => this.#readers.delete(reader));
    this.#readers.add(reader);
    if (!replay) return;
    await this.#replay(exchange, reader);
    reader.replaying = false;
    this.#schedule();
  }

  #replay = async ({ share }: Exchange, reader: Reader): Promise<void> => {
    const { memory, state } = this.#machine;
    const write = (kind: EventKind, data: object): void => {
      if (reader.kinds.has(kind) && !reader.response.destroyed) reader.response.write(this.#text(kind, data));
    };
    const time = this.#time();
    await share.do(() => write('state', { time, state } satisfies EventOf<'state'>));
    if (!reader.kinds.has('map')) return;
    const mappings = memory[Symbol.iterator]();
    while (!reader.response.destroyed) {
      const count = await share.do(() => {
        const added = take(mappings, LIMITS.rows).map(mappingFacts);
        write('map', { time, cause: 'now', removed: [], added } satisfies EventOf<'map'>);
        return added.length;
      });
      if (count < LIMITS.rows) return;
    }
  };

  #tellMap(cause: string, removed: readonly Mapping[], added: readonly Mapping[]): void {
    if (this.#readers.size === 0) return;
    this.#tell('map', () => ({
      time: this.#time(),
      cause,
      removed: removed.map(mappingFacts),
      added: added.map(mappingFacts),
    }));
  }

  #tellLife(event: LifeEvent): void {
    const time = this.#time();
    if (event.kind === 'reset') {
      this.#tell('reset', () => ({ time, resets: this.#machine.resets }));
      return;
    }
    const { state, reason } = event;
    this.#tell('state', () => ({ time, state, ...(reason === undefined ? {} : { reason }) }));
  }

  #tell<Kind extends EventKind>(kind: Kind, data: () => EventOf<Kind>): void {
    let text: string | undefined;
    for (const reader of this.#readers) {
      if (!reader.kinds.has(kind)) continue;
      text ??= this.#text(kind, data());
      reader.pending.push(text);
      reader.waiting += text.length;
      if (reader.waiting > LIMITS.backlog) this.#drop(reader);
    }
    if (text !== undefined) this.#schedule();
  }

  #text(kind: EventKind, data: object): string {
    return `id: ${++this.#number}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #time(): number {
    return Math.floor(this.#machine.now());
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const reader of this.#readers) this.#flush(reader);
    });
  }

  #flush(reader: Reader): void {
    if (reader.replaying || reader.pending.length === 0) return;
    const text = reader.pending.join('');
    reader.pending = [];
    reader.waiting = 0;
    reader.response.write(text);
    if (reader.response.writableLength > LIMITS.backlog) this.#drop(reader);
  }

  #drop(reader: Reader): void {
    this.#readers.delete(reader);
    this.#dropped++;
    reader.response.destroy();
  }

  #beat(): void {
    for (const { response } of this.#readers) {
      if (response.writableLength === 0) response.write(':\n\n');
    }
  }

  /** Writes what waits, and ends every stream. */
  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
    this.#lifetimes[Symbol.dispose]();
    for (const reader of this.#readers) {
      reader.replaying = false;
      this.#flush(reader);
      reader.response.end();
    }
    this.#readers.clear();
  }
}

function take<T>(iterator: Iterator<T>, most: number): T[] {
  const taken: T[] = [];
  while (taken.length < most) {
    const { value, done } = iterator.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}
