import type { IncomingMessage } from 'node:http';
import { LIMITS, ROUTE_NAMES, ROUTES, type Route, type RouteName } from '../../control/index.ts';
import { answerJson, answerList } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Controlled, Handlers } from './handler.ts';
import { MACHINE_HANDLERS } from './machine-handlers.ts';
import { MEMORY_HANDLERS } from './memory-handlers.ts';
import { badField, ProblemError } from './problem-error.ts';
import { readParameters } from './request.ts';

const HANDLERS: Handlers = { ...MACHINE_HANDLERS, ...MEMORY_HANDLERS };

/** A path as its parts; a part in braces is a field. */
const PATHS: readonly { readonly name: RouteName; readonly parts: readonly string[] }[] = ROUTE_NAMES.map((name) => ({
  name,
  parts: ROUTES[name].route.split('/'),
}));

interface Match {
  readonly name: RouteName;
  readonly fields: Readonly<Record<string, string>>;
}

/** Finds the route of a request, validates it, and has it answered. Throws ProblemError. */
export async function dispatch(controlled: Controlled, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const { path, query } = target(request);
  const { name, fields } = choose(path, request.method ?? '', (allowed) => response.setHeader('allow', allowed));
  const route: Route = ROUTES[name];
  const parameters = await readParameters(route, fields, query, request);
  const result = await (HANDLERS[name] as (...all: unknown[]) => unknown)(controlled, parameters, exchange);
  if (route.answer.kind === 'json') answerJson(exchange, result);
  if (route.answer.kind === 'list') await answerList(exchange, route.answer.key, result as Iterable<unknown>);
}

function target({ url = '' }: IncomingMessage): { path: string; query: URLSearchParams } {
  if (url.length > LIMITS.target) throw badField('path', '', `more than ${LIMITS.target} characters`, 'too-large');
  const [path = '', query = ''] = url.replace(/^https?:\/\/[^/?]*/, '').split(/\?(.*)/s);
  return { path, query: new URLSearchParams(query) };
}

function choose(path: string, method: string, allow: (methods: string) => void): Match {
  const parts = path.split('/');
  const matches = PATHS.flatMap(({ name, parts: pattern }) => {
    const fields = match(pattern, parts);
    return fields === undefined ? [] : [{ name, fields }];
  });
  const found = matches.find(({ name }) => ROUTES[name].method === method);
  if (found !== undefined) return { name: found.name, fields: decode(found.fields) };
  if (matches.length === 0)
    throw new ProblemError('no-such-route', `there is nothing at ${JSON.stringify(path)}; see /openapi.json`);
  const methods = matches.map(({ name }) => ROUTES[name].method).join(', ');
  allow(methods);
  throw new ProblemError('method-not-allowed', `${path} knows ${methods}, not ${method}`);
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const fields: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index] ?? '';
    if (expected.startsWith('{')) fields[expected.slice(1, -1)] = part;
    else if (part !== expected) return undefined;
  }
  return fields;
}

function decode(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, text]) => {
      try {
        return [field, decodeURIComponent(text)];
      } catch {
        throw badField('path', field, 'bad percent-encoding');
      }
    }),
  );
}
