import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Lifetimes } from '../../base/disposable.ts';
import { LIMITS } from '../../control/limits.ts';
import type { Machine } from '../../machine/machine.ts';
import { EventFeed } from './event-feed.ts';
import type { Controlled } from './handler.ts';
import type { PageFacts } from './memory-facts.ts';
import { ProblemError } from './problem-error.ts';
import type { SerialTap } from './serial-tap.ts';
import { listenAt } from './socket-file.ts';
import { TurnShare } from './turn-share.ts';

/** Routes, their schemas and handlers are loaded for the first request: a guest need not wait for them to begin. */
const loadResponder = () => import('./responder.ts');

/** Milliseconds that answers which are under way have when the machine ends. */
const LAST_WORDS = 500;

const ORDINARY_PAGES: PageFacts = { wired: false, core: true };

export interface ControlOptions {
  readonly machine: Machine;
  readonly path: string;
  readonly serial: SerialTap;
  /** Ends the sleep of a machine that idles. */
  readonly wake: () => void;
  /** How the host keeps guest memory; when absent, as it keeps all memory. */
  readonly pages?: PageFacts | undefined;
  /** Several sockets of one thread share one. */
  readonly share?: TurnShare;
}

/** A machine's control socket: HTTP on a Unix-domain socket. */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #controlled: Controlled & { readonly events: EventFeed };
  readonly #share: TurnShare;
  readonly #lifetimes: Lifetimes = new Lifetimes();
  #over = false;

  private constructor({
    machine,
    path,
    serial,
    wake,
    pages = ORDINARY_PAGES,
    share = new TurnShare(),
  }: ControlOptions) {
    this.path = path;
    this.#share = share;
    this.#controlled = { machine, serial, wake, pages, events: this.#lifetimes.own(new EventFeed(machine)) };
    this.#server = createServer(
      {
        maxHeaderSize: LIMITS.headers,
        headersTimeout: LIMITS.headersTimeout,
        connectionsCheckingInterval: LIMITS.headersTimeout / 2,
        requestTimeout: 0,
        keepAliveTimeout: LIMITS.idleTimeout,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = LIMITS.connections;
    this.#server.on('clientError', refuse);
  }

  /** Throws HostError when the socket cannot be had. */
  static async open(options: ControlOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    try {
      control.#lifetimes.own(await listenAt(control.#server, options.path));
    } catch (error) {
      control.#lifetimes[Symbol.dispose]();
      control.#server.close();
      throw error;
    }
    return control;
  }

  /** Readers of events that were cut off because they did not read. */
  get droppedReaders(): number {
    return this.#controlled.events.dropped;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    const { respond } = await loadResponder();
    await respond(this.#controlled, { request, response, share: this.#share }, () => this.#over);
  }

  /** Takes the socket away, sends what is under way, and ends every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#controlled.serial.end();
    this.#lifetimes[Symbol.dispose]();
    await new Promise<void>((resolve) => {
      const impatience = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS);
      this.#server.close(() => {
        clearTimeout(impatience);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
    this.#over = true;
  }
}

const STATUS_LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is not HTTP at all, too much of it, or too slow. */
function refuse(error: NodeJS.ErrnoException, socket: Socket | import('node:stream').Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_LINES[error.code ?? ''] ?? '400 Bad Request';
  const problem = new ProblemError('bad-request', `not HTTP: ${error.message}`).toJSON();
  const text = `${JSON.stringify({ ...problem, status: Number(status.slice(0, 3)) })}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
