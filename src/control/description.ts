import * as z from 'zod';
import { PROBLEMS, type ProblemKind } from './problem-kind.ts';
import { problemFacts } from './problem.ts';
import type { Answer, Body, Route } from './route.ts';
import { ROUTE_NAMES, ROUTES } from './routes.ts';

type JsonObject = Record<string, unknown>;

/** What every route may answer. */
const ALWAYS: readonly ProblemKind[] = ['bad-request', 'method-not-allowed'];

const INFO = {
  title: 'skep control socket',
  version: '1',
  summary: 'A running machine, its guest memory first',
  description:
    'HTTP on the Unix-domain socket NAME.sock in the run folder. Numbers in URLs are decimal, or hexadecimal after 0x.',
  license: { name: 'BSD 2-Clause', identifier: 'BSD-2-Clause' },
};

/** The OpenAPI 3.1 description of a control socket, made from its table of routes. */
export function description(): JsonObject {
  const schemas: JsonObject = {};
  const paths: Record<string, JsonObject> = {};
  for (const name of ROUTE_NAMES) {
    const route: Route = ROUTES[name];
    paths[route.route] = { ...paths[route.route], [route.method.toLowerCase()]: operation(name, route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: 'http://skep', description: 'any host name will do' }],
    paths,
    components: { schemas },
  };
}

function operation(name: string, route: Route, schemas: JsonObject): JsonObject {
  const { summary, description, body, answer, problems = [] } = route;
  const parameters = [...fields('path', route.path, schemas), ...fields('query', route.query, schemas)];
  if (answer.kind === 'bytes' && answer.ranges) parameters.push(RANGE);
  return {
    operationId: name,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: bodyContent(body, schemas) } }),
    responses: { ...success(answer, schemas), ...failures([...ALWAYS, ...problems], schemas) },
  };
}

const RANGE: JsonObject = {
  name: 'Range',
  in: 'header',
  description: '`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`, of what the URL names; not for hexadecimal',
  schema: { type: 'string' },
};

function fields(where: 'path' | 'query', schema: z.ZodObject | undefined, schemas: JsonObject): JsonObject[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input', schemas) as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function bodyContent(body: Body, schemas: JsonObject): JsonObject {
  if (body.kind === 'json') return { 'application/json': { schema: jsonSchema(body.schema, 'input', schemas) } };
  return BYTES;
}

/** Octets have no schema (OpenAPI 3.1.0, 4.8.14.2); hexadecimal is text. */
const BYTES: JsonObject = {
  'application/octet-stream': {},
  'text/plain': { schema: { type: 'string', description: 'hexadecimal digits' } },
};

function success(answer: Answer, schemas: JsonObject): JsonObject {
  const response = (content: JsonObject): JsonObject => ({ description: 'Done', content });
  switch (answer.kind) {
    case 'json':
      return { 200: response({ 'application/json': { schema: jsonSchema(answer.schema, 'output', schemas) } }) };
    case 'list':
      return { 200: response({ 'application/json': { schema: listSchema(answer.key, answer.row, schemas) } }) };
    case 'bytes':
      if (!answer.ranges) return { 200: response({ 'application/octet-stream': {} }) };
      return {
        200: response(BYTES),
        206: { ...response({ 'application/octet-stream': {} }), description: 'The range' },
      };
    case 'png':
      return { 200: response({ 'image/png': {} }) };
    case 'events': {
      const anyOf = Object.values(answer.events).map((event) => jsonSchema(event, 'output', schemas));
      const schema = { description: '`data` of each event is one of these as JSON', anyOf };
      return { 200: response({ 'text/event-stream': { schema } }) };
    }
  }
}

function listSchema(key: string, row: z.ZodType, schemas: JsonObject): JsonObject {
  const items = jsonSchema(row, 'output', schemas);
  return { type: 'object', properties: { [key]: { type: 'array', items } }, required: [key] };
}

function failures(kinds: readonly ProblemKind[], schemas: JsonObject): JsonObject {
  const content = { 'application/problem+json': { schema: jsonSchema(problemFacts, 'output', schemas) } };
  const titles = new Map<number, string[]>();
  for (const kind of kinds) {
    const { status, title } = PROBLEMS[kind];
    titles.set(status, [...(titles.get(status) ?? []), title]);
  }
  return Object.fromEntries(
    [...titles].map(([status, texts]) => [status, { description: texts.join('; or: '), content }]),
  );
}

/** The schema as JSON Schema 2020-12, OpenAPI's dialect. Named parts go to the components. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: JsonObject): JsonObject {
  const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' }) as JsonObject;
  const moved = JSON.parse(JSON.stringify(rest).replaceAll('"#/$defs/', `"${COMPONENTS}`)) as JsonObject;
  for (const [name, part] of Object.entries(($defs ?? {}) as JsonObject)) {
    schemas[name] = JSON.parse(JSON.stringify(part).replaceAll('"#/$defs/', `"${COMPONENTS}`));
  }
  const { id } = moved;
  if (typeof id !== 'string') return moved;
  const { id: __, ...named } = moved;
  schemas[id] = named;
  return { $ref: `${COMPONENTS}${id}` };
}

const COMPONENTS = '#/components/schemas/';
