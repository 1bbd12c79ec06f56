import type { IncomingMessage } from 'node:http';
import type * as z from 'zod';
import { LIMITS, type Route } from '../../control/index.ts';
import type { Exchange } from './exchange.ts';
import { badField, ProblemError, type FieldError } from './problem-error.ts';

/** Characters of hexadecimal text in one body: it is looked at whole before any of it is written. */
const HEX_LIMIT = 4 * LIMITS.chunk;

/** The parameters of a request, validated by the schemas of its route. */
export async function readParameters(
  route: Route,
  pathFields: Readonly<Record<string, string>>,
  query: URLSearchParams,
  request: IncomingMessage,
): Promise<object> {
  const errors: FieldError[] = [];
  const path = validate('path', route.path, pathFields, errors);
  const given =
    route.query === undefined
      ? refuseQuery(query, errors)
      : validate('query', route.query, queryFields(query, errors), errors);
  if (errors.length > 0) throw malformed(errors);
  if (route.body?.kind !== 'json') return { ...path, ...given };
  const body: object = validateAny('body', route.body.schema, await readJson(request), errors);
  if (errors.length > 0) throw malformed(errors);
  return { ...path, ...given, body };
}

function malformed(errors: readonly FieldError[]): ProblemError {
  const sentence = errors.map((error) => `${error.in} field '${error.field}': ${error.detail}`).join('; ');
  return new ProblemError('bad-request', sentence, errors);
}

function queryFields(query: URLSearchParams, errors: FieldError[]): Record<string, string> {
  const fields = Object.create(null) as Record<string, string>;
  for (const [field, value] of query) {
    if (field in fields) errors.push({ in: 'query', field, detail: 'given twice' });
    fields[field] = value;
  }
  return { ...fields };
}

function refuseQuery(query: URLSearchParams, errors: FieldError[]): object {
  for (const field of query.keys()) errors.push({ in: 'query', field, detail: 'this resource takes no such field' });
  return {};
}

function validate(
  where: 'path' | 'query',
  schema: z.ZodObject | undefined,
  fields: object,
  errors: FieldError[],
): object {
  return schema === undefined ? {} : validateAny(where, schema, fields, errors);
}

/** The value as the schema has it; nothing, and errors, when it does not fit. */
function validateAny(where: FieldError['in'], schema: z.ZodType, value: unknown, errors: FieldError[]): object {
  const result = schema.safeParse(value);
  if (result.success) return result.data as object;
  for (const issue of innermost(result.error.issues)) {
    const extra = issue.code === 'unrecognized_keys' ? issue.keys : [''];
    for (const key of extra) {
      const field = [...issue.path.map(String), ...(key === '' ? [] : [key])].join('.');
      const detail = key === '' ? issue.message : 'this resource takes no such field';
      errors.push({ in: where, field, detail });
    }
  }
  return {};
}

/** Of a choice of shapes, what is wrong with the one that comes closest. */
function innermost(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
    const closest = issue.errors.reduce((best, other) => (other.length < best.length ? other : best));
    return innermost(closest);
  });
}

/** The whole of a short body as JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  checkMedia(request, ['application/json']);
  const text = await readText(request, LIMITS.json);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badField('body', '', 'not JSON');
  }
}

async function readText(request: IncomingMessage, limit: number): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const impatience = setTimeout(() => request.destroy(), LIMITS.headersTimeout);
  try {
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > limit) throw tooLarge(limit);
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  } finally {
    clearTimeout(impatience);
  }
}

function tooLarge(limit: number): ProblemError {
  return badField('body', '', `more than ${limit} bytes`, 'too-large');
}

function checkMedia(request: IncomingMessage, known: readonly string[]): string {
  const [given = ''] = (request.headers['content-type'] ?? known[0] ?? '').toLowerCase().split(';');
  if (known.includes(given.trim())) return given.trim();
  throw badField('header', 'Content-Type', `'${given}' is not ${known.join(' or ')}`, 'unsupported-media');
}

/**
 * The body of a request as bytes, given on piece by piece in the requests' share of time: octets, or hexadecimal digits
 * with any white space between them. Where its length is known beforehand it is checked before anything is given on.
 */
export async function readBytes(
  exchange: Exchange,
  check: ((length: number) => void | Promise<void>) | undefined,
  take: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const { request, share } = exchange;
  if (checkMedia(request, ['application/octet-stream', 'text/plain']) === 'text/plain') {
    const bytes = decodeHex(await readText(request, HEX_LIMIT));
    await check?.(bytes.length);
    for (let done = 0; done < bytes.length; done += LIMITS.chunk) {
      await share.do(() => take(bytes.subarray(done, done + LIMITS.chunk)));
    }
    return;
  }
  const length = request.headers['content-length'];
  if (length !== undefined) await check?.(Number(length));
  for await (const piece of request as AsyncIterable<Buffer>) {
    for (let done = 0; done < piece.length; done += LIMITS.chunk) {
      await share.do(() => take(piece.subarray(done, done + LIMITS.chunk)));
    }
  }
}

function decodeHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw badField('body', '', 'characters other than hexadecimal digits');
  if (digits.length % 2 !== 0) throw badField('body', '', 'an odd number of hexadecimal digits');
  return Buffer.from(digits, 'hex');
}
