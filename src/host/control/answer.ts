import { LIMITS } from '../../control/index.ts';
import { parseRange } from './byte-range.ts';
import { send, type Exchange } from './exchange.ts';
import { ProblemError } from './problem-error.ts';

/** A run of bytes that is copied out piece by piece. */
export interface ByteSource {
  readonly length: number;
  /** Fills the target from this offset on. May throw when what was there is there no longer. */
  read(offset: number, target: Uint8Array): void;
}

const JSON_TYPE = { 'content-type': 'application/json' };

export function answerJson({ response }: Exchange, value: unknown): void {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(200, { ...JSON_TYPE, 'content-length': Buffer.byteLength(text) }).end(text);
}

/** What is left of the request's body is read and forgotten, for a while, so that whoever sends it gets to see the answer. */
export function answerProblem({ request, response }: Exchange, problem: ProblemError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = `${JSON.stringify(problem)}\n`;
  response.writeHead(problem.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
  if (!request.complete) setTimeout(() => request.complete || request.destroy(), LIMITS.headersTimeout).unref();
}

/** `{"KEY":[ROW,…]}`, some rows at a time: a guest may have made a hundred thousand mappings. */
export async function answerList(exchange: Exchange, key: string, rows: Iterable<unknown>): Promise<void> {
  const { response } = exchange;
  const pieces = listText(key, rows);
  response.writeHead(200, JSON_TYPE);
  let piece = { done: false } as IteratorResult<string, string>;
  while (piece.done !== true && !response.destroyed) {
    await send(exchange, () => {
      piece = pieces.next();
      return piece.value;
    });
  }
  response.end();
}

function* listText(key: string, rows: Iterable<unknown>): Generator<string, string, void> {
  let text = `{${JSON.stringify(key)}:[`;
  let count = 0;
  for (const row of rows) {
    text += `${count === 0 ? '' : ','}${JSON.stringify(row)}`;
    count++;
    if (count % LIMITS.rows !== 0) continue;
    yield text;
    text = '';
  }
  return `${text}]}\n`;
}

/** Octets, or a range of them, or hexadecimal digits. */
export async function answerBytes(exchange: Exchange, source: ByteSource, format: 'raw' | 'hex'): Promise<void> {
  const { request, response } = exchange;
  const range = format === 'hex' ? undefined : parseRange(request.headers.range, source.length);
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${source.length}`);
    throw new ProblemError('range-not-satisfiable', `there are ${source.length} bytes`);
  }
  const { start, end } = range ?? { start: 0, end: source.length };
  const unit = format === 'hex' ? 2 : 1;
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': format === 'hex' ? 'text/plain' : 'application/octet-stream',
    'content-length': (end - start) * unit,
    ...(format === 'hex' ? {} : { 'accept-ranges': 'bytes' }),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${source.length}` }),
  });
  for (let at = start; at < end && !response.destroyed;) {
    // A digit costs more than a byte.
    const length = Math.min(LIMITS.chunk / unit / unit, end - at);
    await send(exchange, () => {
      const bytes = Buffer.alloc(length);
      source.read(at, bytes);
      return format === 'hex' ? bytes.toString('hex') : bytes;
    });
    at += length;
  }
  response.end();
}
