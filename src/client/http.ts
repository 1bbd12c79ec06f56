import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Problem } from '../control/index.ts';
import { ControlError } from './control-error.ts';

/** What is sent with a request. */
export type RequestBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: RequestBody | undefined;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that an answer may take to begin, when the request is not a stream. */
const PATIENCE = 30_000;

/** HTTP over one Unix-domain socket. */
export class HttpOverSocket implements Disposable {
  readonly path: string;
  readonly #patience: number;
  readonly #agent: Agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(path: string, patience: number = PATIENCE) {
    this.path = path;
    this.#patience = patience;
  }

  /** The answer, once its headers are there. Throws ControlError for a problem, and when nobody answers. */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const response = await this.#exchange(request);
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    throw refusal(statusCode, await readAll(response));
  }

  #exchange({ method, path, body, contentType, signal }: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(body instanceof Uint8Array ? { 'content-length': body.length } : {}),
      };
      const outgoing = httpRequest({
        socketPath: this.path,
        agent: this.#agent,
        method,
        path,
        headers,
        ...(signal === undefined ? {} : { signal }),
      });
      outgoing.once('response', resolve).once('error', (error) => reject(unreachable(this.path, error)));
      if (body === undefined || body instanceof Uint8Array) {
        outgoing.setTimeout(this.#patience, () =>
          outgoing.destroy(new ControlError('ETIMEDOUT', `${this.path} does not answer`)),
        );
        outgoing.end(body);
      } else {
        // A machine may answer, and end, before all is sent; what it answers says so.
        pipeline(Readable.from(body), outgoing).catch(reject);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** Kernel errors that mean that no machine is there. */
const ABSENT: readonly string[] = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR'];

function unreachable(path: string, error: NodeJS.ErrnoException): Error {
  if (error instanceof ControlError || error.name === 'AbortError') return error;
  const code = error.code ?? 'EIO';
  const sentence = ABSENT.includes(code) ? `no machine listens at ${path}` : `cannot talk to ${path}: ${error.message}`;
  return new ControlError(code, sentence);
}

export async function readAll(response: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

function refusal(status: number, body: Uint8Array): ControlError {
  try {
    const problem = JSON.parse(Buffer.from(body).toString('utf8')) as Problem;
    return new ControlError(problem.type.replace(/^.*:/, ''), problem.detail, problem);
  } catch {
    return new ControlError('bad-answer', `an answer of status ${status} that is no problem document`);
  }
}
