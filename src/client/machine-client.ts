import type {
  DeviceFacts,
  EventKind,
  EventOf,
  Fields,
  GapFacts,
  IommuFacts,
  Json,
  JsonBody,
  MachineFacts,
  MappingFacts,
  PlaceFacts,
  Registers,
  RouteName,
  Routes,
  SegmentFacts,
} from '../control/index.ts';
import { ENDPOINTS } from '../control/endpoints.ts';
import { ControlError } from './control-error.ts';
import { parseEvents } from './event-stream.ts';
import { HttpOverSocket, readAll, type RequestBody } from './http.ts';

/** Where bytes are: in a segment, by its name, or at a guest-physical address. */
export type Where = string | number;

/** An event, with its kind in it. */
export type MachineEvent<Kind extends EventKind = EventKind> = {
  [K in Kind]: { readonly kind: K } & EventOf<K>;
}[Kind];

export interface ReadOptions {
  /** Bytes from the start of the segment; added to an address. */
  readonly offset?: number;
  /** Bytes. To the end of a segment when absent; an address needs it. */
  readonly length?: number;
}

interface CallOptions {
  readonly body?: RequestBody;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** What is asked of a running machine, over its control socket. Whatever it refuses is a ControlError. */
export class MachineClient implements Disposable {
  /** Of the control socket. */
  readonly path: string;
  readonly #http: HttpOverSocket;

  /** `patience`: milliseconds that an answer may take to begin. */
  constructor(path: string, { patience }: { patience?: number } = {}) {
    this.path = path;
    this.#http = new HttpOverSocket(path, patience);
  }

  /** Name, state and counters. */
  facts(): Promise<MachineFacts> {
    return this.call('machine');
  }

  /** By lower-case name. */
  async registers(): Promise<Map<string, bigint>> {
    const registers: Registers = await this.call('registers');
    return new Map(Object.entries(registers).map(([name, value]) => [name, BigInt(value)]));
  }

  async devices(): Promise<DeviceFacts[]> {
    return (await this.call('devices')).devices;
  }

  /** All mappings, ascending. */
  async map(): Promise<MappingFacts[]> {
    return (await this.call('map')).mappings;
  }

  /** All segments, by id. */
  async segments(): Promise<SegmentFacts[]> {
    return (await this.call('segments')).segments;
  }

  /** Where nothing is mapped, ascending. */
  async gaps(): Promise<GapFacts[]> {
    return (await this.call('gaps')).gaps;
  }

  /** The devices behind the IOMMU, and their latest faults. */
  iommu(): Promise<IommuFacts> {
    return this.call('iommu');
  }

  /** What is at an address. */
  at(gpa: number): Promise<PlaceFacts> {
    return this.call('at', { gpa });
  }

  read(where: Where, options: ReadOptions = {}): Promise<Uint8Array> {
    return readAll(this.stream(where, options));
  }

  /** The same, piece by piece. */
  async *stream(where: Where, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const { offset = 0, length } = options;
    if (typeof where === 'string') {
      const fields = { segment: where, offset, ...(length === undefined ? {} : { length }) };
      yield* await this.#send('readSegment', fields);
      return;
    }
    if (length === undefined) throw new ControlError('bad-request', 'a read at an address needs a length');
    yield* await this.#send('readGpa', { gpa: where + offset, length });
  }

  /** Gives how many bytes were written: all of them. */
  async write(where: Where, bytes: RequestBody, { offset = 0 }: { offset?: number } = {}): Promise<number> {
    const octets = { body: bytes, contentType: 'application/octet-stream' };
    const response =
      typeof where === 'string'
        ? await this.#send('writeSegment', { segment: where, offset }, octets)
        : await this.#send('writeGpa', { gpa: where + offset }, octets);
    return (JSON.parse(await text(response)) as Json<Routes['writeSegment']>).written;
  }

  /** Says that this process has written there through a device node, where the guest may have code. */
  async codeWritten(range: JsonBody<Routes['codeWritten']>): Promise<void> {
    const body = Buffer.from(JSON.stringify(range));
    await text(await this.#send('codeWritten', {}, { body, contentType: 'application/json' }));
  }

  /**
   * What happens to the machine, of the given kinds or of all, until it ends. First come, unless `replay` is false, its
   * state and its map as they are. The stream is open when the promise is fulfilled.
   */
  async *events<Kind extends EventKind = EventKind>(
    kinds: Kind | readonly Kind[] = [],
    { replay = true, signal }: { replay?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<MachineEvent<Kind>, void, void> {
    const wanted = [kinds].flat();
    const fields = { replay, ...(wanted.length === 0 ? {} : { kinds: wanted }) };
    const response = await this.#send('events', fields, signal === undefined ? {} : { signal });
    for await (const { kind, data } of parseEvents(ended(response))) {
      yield { kind, ...(JSON.parse(data) as object) } as MachineEvent<Kind>;
    }
  }

  /** A PNG image. */
  async screenshot(): Promise<Uint8Array> {
    return readAll(await this.#send('screenshot', {}));
  }

  /** What the guest sends to its serial port, until the machine ends; the last 64 KiB first unless `replay` is false. */
  async *serialOutput({ replay = true, signal }: { replay?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<
    Uint8Array,
    void,
    void
  > {
    yield* ended(await this.#send('serialOutput', { replay }, signal === undefined ? {} : { signal }));
  }

  /** Bytes for the serial port. A stream may go on for as long as the machine runs. */
  async serialInput(bytes: RequestBody): Promise<void> {
    await text(await this.#send('serialInput', {}, { body: bytes, contentType: 'application/octet-stream' }));
  }

  pause(): Promise<MachineFacts> {
    return this.call('pause');
  }

  resume(): Promise<MachineFacts> {
    return this.call('resume');
  }

  reset(): Promise<MachineFacts> {
    return this.call('reset');
  }

  pressPowerButton(): Promise<MachineFacts> {
    return this.call('powerButton');
  }

  /** The machine ends, and so does its socket. */
  stop(): Promise<MachineFacts> {
    return this.call('stop');
  }

  /** Any route that answers with JSON and takes no body, by its name in the description. */
  async call<Name extends RouteName>(
    name: Name,
    ...[fields]: object extends Fields<Routes[Name]> ? [Fields<Routes[Name]>?] : [Fields<Routes[Name]>]
  ): Promise<Json<Routes[Name]>> {
    return JSON.parse(await text(await this.#send(name, fields ?? {}))) as Json<Routes[Name]>;
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  #send(name: RouteName, fields: object, options: CallOptions = {}): ReturnType<HttpOverSocket['send']> {
    const { method, route } = ENDPOINTS[name];
    return this.#http.send({ method, path: target(route, fields), ...options });
  }
}

/** The path with its fields filled in, and the other fields behind it. */
function target(route: string, fields: object): string {
  const query = new URLSearchParams();
  let path = route;
  for (const [field, value] of Object.entries(fields)) {
    const place = `{${field}}`;
    if (path.includes(place)) path = path.replace(place, () => encodeURIComponent(String(value)));
    else query.set(field, String(value));
  }
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

async function text(response: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.from(await readAll(response)).toString('utf8');
}

/** A stream that a machine leaves open ends with the machine, whatever way that ends. */
async function* ended(response: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* response;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
