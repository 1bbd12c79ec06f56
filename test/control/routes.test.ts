import { Validator } from '@seriousme/openapi-schema-validator';
import { decode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { description, problemFacts, ROUTE_NAMES, ROUTES, type RouteName } from '../../src/control/index.ts';
import type { Route } from '../../src/control/index.ts';
import { ControlledMachine, PICTURE, type HttpAnswer, type HttpQuestion } from './controlled-machine.ts';

interface Case extends HttpQuestion {
  readonly what: string;
  readonly path: string;
  readonly status: number;
  /** Of a problem: the field that it names. */
  readonly field?: string;
  /** Leave the stream once it has begun. */
  readonly stream?: boolean;
  readonly check?: (answer: HttpAnswer) => void;
}

const OCTETS = { 'content-type': 'application/octet-stream' };
const TEXT = { 'content-type': 'text/plain' };
const JSON_BODY = { 'content-type': 'application/json' };
const RAM = '/memory/segments/ram/bytes';
const extra = (path: string): Case => ({ what: 'a field too many', path: `${path}?x=1`, status: 400, field: 'x' });
const act = (path: string, state: string): Case => ({
  what: 'at once',
  path,
  method: 'POST',
  status: 200,
  check: (answer) => expect(answer.json()).toMatchObject({ state }),
});
const badAct = (path: string): Case => ({ ...extra(path), method: 'POST' });

/** For every route what it does, and what it refuses. In this order they are asked of one machine. */
const CASES: Record<Exclude<RouteName, 'stop'>, Case[]> = {
  description: [
    {
      what: 'itself',
      path: '/openapi.json',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual(description()),
    },
    extra('/openapi.json'),
  ],
  machine: [
    {
      what: 'state',
      path: '/machine',
      status: 200,
      check: (answer) => expect(answer.json()).toMatchObject({ name: 'test', pid: process.pid, memory: 4 << 20 }),
    },
    extra('/machine'),
  ],
  registers: [
    {
      what: 'by name',
      path: '/machine/registers',
      status: 200,
      check: (answer) => expect(answer.json()).toMatchObject({ cs: '0x8', 'cs.base': '0x0', cr0: '0x11' }),
    },
    extra('/machine/registers'),
  ],
  devices: [
    {
      what: 'with BARs and where they are',
      path: '/machine/devices',
      status: 200,
      check: (answer) => {
        const { devices } = answer.json() as { devices: { name: string; bars?: object[]; ports?: object }[] };
        expect(devices.find(({ name }) => name === 'serial')).toMatchObject({ bus: 'isa', ports: { start: 0x3f8 } });
        expect(devices.find(({ name }) => name === 'Bochs display')).toMatchObject({
          slot: 2,
          vendor: 0x1234,
          device: 0x1111,
          classCode: 0x038000,
          bars: [
            { name: 'Bochs display BAR 0', type: 'mem32', address: 0xe000_0000, place: 0xe000_0000, length: 16 << 20 },
            { name: 'Bochs display BAR 2', place: 0xe100_0000 },
          ],
        });
      },
    },
    extra('/machine/devices'),
  ],
  pause: [act('/machine/pause', 'paused'), badAct('/machine/pause')],
  resume: [act('/machine/resume', 'running'), badAct('/machine/resume')],
  map: [
    {
      what: 'ascending',
      path: '/memory/map',
      status: 200,
      check: (answer) => {
        const { mappings } = answer.json() as { mappings: { gpa: number; end: number }[] };
        expect(mappings.length).toBeGreaterThan(3);
        expect(mappings.map(({ gpa }) => gpa)).toEqual(mappings.map(({ gpa }) => gpa).sort((a, b) => a - b));
        expect(mappings).toContainEqual({
          gpa: 0xe000_0000,
          end: 0xe100_0000,
          length: 16 << 20,
          segment: 'framebuffer',
          kind: 'devmem',
          offset: 0,
          prot: 'rw-',
          wired: false,
          iommu: false,
        });
      },
    },
    extra('/memory/map'),
  ],
  segments: [
    {
      what: 'by id',
      path: '/memory/segments',
      status: 200,
      check: (answer) =>
        expect(answer.json()).toMatchObject({
          segments: [
            { id: 0, name: 'ram', kind: 'sysmem', length: 4 << 20 },
            { id: 1, name: 'bootrom', kind: 'devmem', mappings: 2 },
            { id: 2, name: 'framebuffer', mappings: 1 },
          ],
        }),
    },
    extra('/memory/segments'),
  ],
  gaps: [
    {
      what: 'up to the end of the address space',
      path: '/memory/gaps',
      status: 200,
      check: (answer) =>
        expect((answer.json() as { gaps: object[] }).gaps.at(-1)).toMatchObject({ start: 2 ** 32, end: 2 ** 40 }),
    },
    extra('/memory/gaps'),
  ],
  iommu: [
    {
      what: 'no device',
      path: '/memory/iommu',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ devices: [], faults: 0, latest: [] }),
    },
    extra('/memory/iommu'),
  ],
  at: [
    {
      what: 'a mapping',
      path: '/memory/at/0xfffffff0',
      status: 200,
      check: (answer) =>
        expect(answer.json()).toMatchObject({
          gpa: 0xffff_fff0,
          mapping: { segment: 'bootrom' },
          offset: 0xfff0,
          gap: null,
        }),
    },
    {
      what: 'a gap, in decimal',
      path: '/memory/at/3221225472',
      status: 200,
      check: (answer) =>
        expect(answer.json()).toMatchObject({ mapping: null, offset: null, gap: { start: 4 << 20, end: 0xe000_0000 } }),
    },
    {
      what: 'nothing behind the end of the address space',
      path: '/memory/at/0xfffffffffffff',
      status: 200,
      check: (answer) => expect(answer.json()).toMatchObject({ mapping: null, gap: null }),
    },
    { what: 'no number', path: '/memory/at/here', status: 400, field: 'gpa' },
    { what: 'a negative number', path: '/memory/at/-1', status: 400, field: 'gpa' },
    { what: 'a fraction', path: '/memory/at/1.5', status: 400, field: 'gpa' },
    { what: 'too wide an address', path: '/memory/at/0x10000000000000', status: 400, field: 'gpa' },
    { what: 'no text at all', path: '/memory/at/', status: 400, field: 'gpa' },
    { what: 'bad percent-encoding', path: '/memory/at/%zz', status: 400, field: 'gpa' },
  ],
  writeSegment: [
    {
      what: 'octets',
      path: `${RAM}?offset=0x2000`,
      method: 'PUT',
      headers: OCTETS,
      body: 'skep',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ written: 4 }),
    },
    { what: 'a body without a type, as octets', path: `${RAM}?offset=0x2004`, method: 'PUT', body: '!!', status: 200 },
    {
      what: 'hexadecimal',
      path: `${RAM}?offset=0x2006`,
      method: 'PUT',
      headers: TEXT,
      body: 'DE ad\nbe ef',
      status: 200,
    },
    {
      what: 'nothing',
      path: `${RAM}?offset=${4 << 20}`,
      method: 'PUT',
      headers: { ...OCTETS, 'content-length': '0' },
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ written: 0 }),
    },
    {
      what: 'ROM, which the guest cannot',
      path: '/memory/segments/bootrom/bytes?offset=0x8000',
      method: 'PUT',
      body: 'rom',
      status: 200,
    },
    {
      what: 'no such segment',
      path: '/memory/segments/rom/bytes',
      method: 'PUT',
      body: 'x',
      status: 404,
      field: 'segment',
    },
    {
      what: 'past the end',
      path: `${RAM}?offset=${4 << 20}`,
      method: 'PUT',
      headers: OCTETS,
      body: 'x',
      status: 416,
      field: 'length',
    },
    {
      what: 'from behind the end on',
      path: `${RAM}?offset=${(4 << 20) + 1}`,
      method: 'PUT',
      headers: OCTETS,
      body: 'x',
      status: 416,
      field: 'offset',
    },
    { what: 'an odd digit', path: RAM, method: 'PUT', headers: TEXT, body: 'abc', status: 400, field: '' },
    { what: 'no digits', path: RAM, method: 'PUT', headers: TEXT, body: 'skep', status: 400, field: '' },
    {
      what: 'a form',
      path: RAM,
      method: 'PUT',
      headers: { 'content-type': 'multipart/form-data' },
      body: 'x',
      status: 415,
      field: 'Content-Type',
    },
    {
      what: 'too many digits',
      path: RAM,
      method: 'PUT',
      headers: TEXT,
      body: '0'.repeat(300_000),
      status: 413,
      field: '',
    },
    {
      what: 'an offset twice',
      path: `${RAM}?offset=1&offset=2`,
      method: 'PUT',
      body: 'x',
      status: 400,
      field: 'offset',
    },
  ],
  readSegment: [
    {
      what: 'octets',
      path: `${RAM}?offset=0x2000&length=10`,
      status: 200,
      check: (answer) => expect(answer.body.toString('latin1')).toBe('skep!!\u00de\u00ad\u00be\u00ef'),
    },
    {
      what: 'hexadecimal',
      path: `${RAM}?offset=0x2000&length=10&format=hex`,
      status: 200,
      check: (answer) => expect(answer.body.toString()).toBe('736b65702121deadbeef'),
    },
    {
      what: 'a range',
      path: `${RAM}?offset=0x2000`,
      headers: { range: 'bytes=4-5' },
      status: 206,
      check: ({ body, headers }) =>
        expect([body.toString(), headers['content-range']]).toEqual(['!!', `bytes 4-5/${(4 << 20) - 0x2000}`]),
    },
    {
      what: 'a range from the end',
      path: `${RAM}?offset=0x2000&length=4`,
      headers: { range: 'bytes=-2' },
      status: 206,
      check: ({ body }) => expect(body.toString()).toBe('ep'),
    },
    {
      what: 'all of it',
      path: '/memory/segments/bootrom/bytes',
      status: 200,
      check: ({ body }) => expect([body.length, body.subarray(0x8000, 0x8003).toString()]).toEqual([0x10000, 'rom']),
    },
    { what: 'none of it', path: `${RAM}?length=0`, status: 200, check: ({ body }) => expect(body.length).toBe(0) },
    { what: 'a range that is not there', path: `${RAM}?length=4`, headers: { range: 'bytes=4-' }, status: 416 },
    { what: 'past the end', path: `${RAM}?length=${(4 << 20) + 1}`, status: 416, field: 'length' },
    { what: 'from behind the end on', path: `${RAM}?offset=0x8000000000`, status: 416, field: 'offset' },
    { what: 'no number', path: `${RAM}?offset=ten`, status: 400, field: 'offset' },
    { what: 'a number that no double holds', path: `${RAM}?offset=9007199254740993`, status: 400, field: 'offset' },
    { what: 'an unknown format', path: `${RAM}?format=xml`, status: 400, field: 'format' },
    { what: 'no such segment', path: '/memory/segments/%2e%2e/bytes', status: 404, field: 'segment' },
  ],
  writeGpa: [
    { what: 'RAM', path: '/memory/gpa/0x3000/bytes', method: 'PUT', body: 'gpa', status: 200 },
    {
      what: 'device memory',
      path: '/memory/gpa/0xe0000004/bytes',
      method: 'PUT',
      headers: TEXT,
      body: '30201000',
      status: 200,
    },
    {
      what: 'ROM',
      path: '/memory/gpa/0xffff0000/bytes',
      method: 'PUT',
      headers: OCTETS,
      body: 'x',
      status: 409,
      field: 'gpa',
    },
    {
      what: 'a gap',
      path: '/memory/gpa/0xc0000000/bytes',
      method: 'PUT',
      headers: OCTETS,
      body: 'x',
      status: 409,
      field: 'gpa',
    },
    {
      what: 'RAM and a gap',
      path: '/memory/gpa/0x3fffff/bytes',
      method: 'PUT',
      headers: OCTETS,
      body: 'xy',
      status: 409,
      field: 'gpa',
    },
    {
      what: 'JSON',
      path: '/memory/gpa/0/bytes',
      method: 'PUT',
      headers: JSON_BODY,
      body: '{}',
      status: 415,
      field: 'Content-Type',
    },
  ],
  readGpa: [
    {
      what: 'RAM',
      path: '/memory/gpa/0x3000/bytes?length=3',
      status: 200,
      check: ({ body }) => expect(body.toString()).toBe('gpa'),
    },
    {
      what: 'across two mappings',
      path: '/memory/gpa/0xfffff/bytes?length=2&format=hex',
      status: 200,
      check: ({ body }) => expect(body.toString()).toMatch(/^00..$/),
    },
    {
      what: 'RAM and a gap, of which nothing is read',
      path: '/memory/gpa/0x3fffff/bytes?length=2',
      status: 409,
      field: 'gpa',
    },
    { what: 'no length', path: '/memory/gpa/0/bytes', status: 400, field: 'length' },
    { what: 'no end', path: '/memory/gpa/0/bytes?length=1e9', status: 400, field: 'length' },
    {
      what: 'a range that is not there',
      path: '/memory/gpa/0/bytes?length=2',
      headers: { range: 'bytes=2-3' },
      status: 416,
    },
  ],
  codeWritten: [
    {
      what: 'a slice of a segment',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"segment":"ram","offset":4095,"length":2}',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ pages: 2 }),
    },
    {
      what: 'a range of addresses, gaps and all',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: `{"gpa":0,"length":${2 ** 32}}`,
      status: 200,
    },
    {
      what: 'no such segment',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"segment":"rom","offset":0,"length":1}',
      status: 404,
      field: 'segment',
    },
    {
      what: 'past the end',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"segment":"ram","offset":4194303,"length":2}',
      status: 416,
      field: 'length',
    },
    {
      what: 'a negative offset',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"segment":"ram","offset":-1,"length":2}',
      status: 400,
      field: 'offset',
    },
    {
      what: 'both forms',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"segment":"ram","gpa":1,"length":2}',
      status: 400,
    },
    {
      what: 'no address',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{"gpa":9007199254740000,"length":1}',
      status: 400,
      field: 'gpa',
    },
    {
      what: 'no JSON',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: '{',
      status: 400,
      field: '',
    },
    {
      what: 'no type',
      path: '/memory/code-written',
      method: 'POST',
      headers: TEXT,
      body: '{}',
      status: 415,
      field: 'Content-Type',
    },
    {
      what: 'too much',
      path: '/memory/code-written',
      method: 'POST',
      headers: JSON_BODY,
      body: ' '.repeat(70_000),
      status: 413,
      field: '',
    },
  ],
  events: [
    { what: 'a stream', path: '/events?kinds=map,state', status: 200, stream: true },
    { what: 'an unknown kind', path: '/events?kinds=map,noise', status: 400, field: 'kinds.1' },
    { what: 'no kind', path: '/events?kinds=', status: 400, field: 'kinds.0' },
    { what: 'half a replay', path: '/events?replay=maybe', status: 400, field: 'replay' },
  ],
  screenshot: [
    {
      what: 'a PNG image',
      path: '/display/screenshot',
      status: 200,
      check: ({ body }) => {
        const { width, height, data } = decode(body);
        expect([width, height, Array.from(data.slice(0, 6))]).toEqual([640, 480, [0xff, 0x80, 0x40, 0x10, 0x20, 0x30]]);
      },
    },
    extra('/display/screenshot'),
  ],
  serialOutput: [
    { what: 'a stream', path: '/serial/output', status: 200, stream: true },
    { what: 'half a replay', path: '/serial/output?replay=1', status: 400, field: 'replay' },
  ],
  serialInput: [
    {
      what: 'octets',
      path: '/serial/input',
      method: 'POST',
      headers: OCTETS,
      body: 'hello',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ written: 5 }),
    },
    {
      what: 'hexadecimal',
      path: '/serial/input',
      method: 'POST',
      headers: TEXT,
      body: '0d0a',
      status: 200,
      check: (answer) => expect(answer.json()).toEqual({ written: 2 }),
    },
    {
      what: 'a form',
      path: '/serial/input',
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'x',
      status: 415,
      field: 'Content-Type',
    },
    badAct('/serial/input'),
  ],
  powerButton: [act('/machine/power-button', 'running'), badAct('/machine/power-button')],
  reset: [
    { ...act('/machine/reset', 'running'), check: (answer) => expect(answer.json()).toMatchObject({ resets: 1 }) },
    badAct('/machine/reset'),
  ],
};

type Operation = { responses: Record<string, { content?: Record<string, unknown> }> };
const DOCUMENT = description() as { paths: Record<string, Record<string, Operation>> };

/** What the description promises for an answer has to be what came. */
function checkDescribed(
  name: RouteName,
  { status, headers }: { status: number; headers: HttpAnswer['headers'] },
): void {
  const { route, method }: Route = ROUTES[name];
  const response = DOCUMENT.paths[route]?.[method.toLowerCase()]?.responses[String(status)];
  expect(response, `${method} ${route} does not describe status ${status}`).toBeDefined();
  expect(Object.keys(response?.content ?? {})).toContain(headers['content-type']);
}

function checkShape(name: RouteName, answer: HttpAnswer): void {
  if (answer.status >= 400) {
    problemFacts.parse(answer.json());
    return;
  }
  const { answer: shape }: Route = ROUTES[name];
  if (shape.kind === 'json') shape.schema.parse(answer.json());
  if (shape.kind === 'list') z.strictObject({ [shape.key]: z.array(shape.row) }).parse(answer.json());
}

let controlled: ControlledMachine;

beforeAll(async () => {
  controlled = await ControlledMachine.start(PICTURE);
  for (let shown = false; !shown;) {
    shown = controlled.machine.scan() !== undefined;
    await new Promise((resume) => setTimeout(resume, 5));
  }
});
afterAll(() => controlled[Symbol.asyncDispose]());

describe.each(Object.entries(CASES) as [RouteName, Case[]][])('%s:', (name, cases) => {
  test.each(cases)('$what: $status', async ({ path, stream, status, field, check, ...question }) => {
    if (stream === true) {
      const answer = await begin(path);
      expect(answer.status).toBe(status);
      checkDescribed(name, answer);
      return;
    }
    const answer = await controlled.ask(path, question);
    expect(answer.status, answer.body.toString().slice(0, 300)).toBe(status);
    checkDescribed(name, answer);
    checkShape(name, answer);
    check?.(answer);
    if (field === undefined) return;
    const { errors } = problemFacts.parse(answer.json());
    expect(errors?.map((error) => error.field)).toContain(field);
  });
});

/** The headers of an answer that does not end. */
async function begin(path: string): Promise<{ status: number; headers: HttpAnswer['headers'] }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: controlled.path, path, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
      response.destroy();
    });
    outgoing.on('error', reject).end();
  });
}

describe('the table of routes', () => {
  test('has for every route cases that succeed and cases that fail', () => {
    const tested = ROUTE_NAMES.filter((name) => name !== 'stop');
    expect(Object.keys(CASES).sort()).toEqual(tested.sort());
    for (const name of tested) {
      expect(CASES[name].some(({ status }) => status < 300)).toBe(true);
      expect(CASES[name].some(({ status }) => status >= 400)).toBe(true);
    }
  });

  test('makes a description that is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(description());
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  test.each(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])(
    'answers %s exactly where the description says so, and 405 with the right methods elsewhere',
    async (method) => {
      for (const [route, operations] of Object.entries(DOCUMENT.paths)) {
        if (Object.hasOwn(operations, method.toLowerCase())) continue;
        const { status, headers } = await controlled.ask(route.replace('{gpa}', '0').replace('{segment}', 'ram'), {
          method,
        });
        const allowed = Object.keys(operations).map((known) => known.toUpperCase());
        expect([route, status, headers.allow]).toEqual([route, 405, allowed.join(', ')]);
      }
    },
  );

  test.each(['/', '/machine/', '//machine', '/memory', '/memory/at', '/machine/pause/now', '*', '/MACHINE', '/..'])(
    'has nothing at %s',
    async (path) => {
      const { status } = await controlled.ask(path);
      expect(status).toBe(404);
    },
  );
});

test('the display that shows nothing has no screenshot', async () => {
  await using dark = await ControlledMachine.start('jmp $');
  const answer = await dark.ask('/display/screenshot');
  expect([answer.status, answer.json()]).toMatchObject([404, { type: 'urn:skep:problem:no-picture' }]);
});

test('devices behind the IOMMU are named, with what they could not have', async () => {
  await using assigned = await ControlledMachine.start('jmp $', {
    wired: true,
    dmaEngine: { iommu: true },
    idle: true,
  });
  assigned.machine.memory.assign('nic').dmaRange(2 ** 32, 4, 'read');
  expect(await assigned.client.iommu()).toEqual({
    devices: ['dma-engine', 'nic'],
    faults: 1,
    latest: [{ device: 'nic', gpa: 2 ** 32, access: 'read', reason: 'unmapped' }],
  });
  for (const { kind, iommu } of await assigned.client.map()) expect(iommu).toBe(kind === 'sysmem');
});

test('stop ends the machine, and its answer still arrives', async () => {
  await using stopping = await ControlledMachine.start('jmp $');
  const bad = await stopping.ask('/machine/stop?now=1', { method: 'POST' });
  expect(bad.status).toBe(400);
  const answer = await stopping.ask('/machine/stop', { method: 'POST' });
  expect([answer.status, answer.json()]).toMatchObject([200, { state: 'stopped' }]);
  expect(await stopping.running).toBe('stopped');
});
