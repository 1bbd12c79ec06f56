import * as z from 'zod';
import { ENDPOINTS } from './endpoints.ts';
import {
  deviceFacts,
  EVENT_KINDS,
  EVENTS,
  gapFacts,
  iommuFacts,
  machineFacts,
  mappingFacts,
  placeFacts,
  registersFacts,
  segmentFacts,
} from './facts.ts';
import { addressText, numberText } from './number-text.ts';
import type { Route } from './route.ts';

const segmentPath = z.object({ segment: z.string().min(1).describe('name of a segment') });
const gpaPath = z.object({ gpa: addressText.describe('guest-physical address') });

const format = z
  .enum(['raw', 'hex'])
  .default('raw')
  .describe('`raw`: application/octet-stream; `hex`: text/plain, two lower-case digits a byte');
const flag = (meaning: string) =>
  z
    .enum(['true', 'false'])
    .default('true')
    .transform((text) => text === 'true')
    .describe(meaning);

const written = z.object({ written: z.int().min(0).describe('bytes') }).meta({ id: 'Written' });
const machineAnswer = { kind: 'json', schema: machineFacts } as const;

/** What another process has written: a piece of a segment, or of guest-physical space. */
const codeWritten = z
  .union([
    z.strictObject({ segment: z.string(), offset: z.int().min(0), length: z.int().min(1) }),
    z.strictObject({ gpa: z.int().min(0), length: z.int().min(1) }),
  ])
  .meta({ id: 'CodeWritten' });

/** Everything that a control socket answers. */
export const ROUTES = {
  description: {
    ...ENDPOINTS.description,
    summary: 'This description',
    answer: { kind: 'json', schema: z.record(z.string(), z.unknown()) },
  },
  machine: {
    ...ENDPOINTS.machine,
    summary: 'Name, state and counters of the machine',
    answer: machineAnswer,
  },
  registers: {
    ...ENDPOINTS.registers,
    summary: 'The registers of the processor',
    answer: { kind: 'json', schema: registersFacts },
  },
  devices: {
    ...ENDPOINTS.devices,
    summary: 'The devices of the machine; those on PCI with their BARs',
    answer: { kind: 'list', key: 'devices', row: deviceFacts },
  },
  pause: {
    ...ENDPOINTS.pause,
    summary: 'Stop executing the guest, and its time',
    answer: machineAnswer,
  },
  resume: {
    ...ENDPOINTS.resume,
    summary: 'Go on executing the guest',
    answer: machineAnswer,
  },
  reset: {
    ...ENDPOINTS.reset,
    summary: 'Press the reset button',
    description: 'RAM keeps its bytes and its place; device memory keeps its bytes and leaves the map.',
    answer: machineAnswer,
  },
  powerButton: {
    ...ENDPOINTS.powerButton,
    summary: 'Press the power button',
    description: 'A guest that has ACPI on shuts itself down. Another does not notice.',
    answer: machineAnswer,
  },
  stop: {
    ...ENDPOINTS.stop,
    summary: 'Pull the plug',
    description: 'The machine ends, and so does this socket once the answer is sent.',
    answer: machineAnswer,
  },
  map: {
    ...ENDPOINTS.map,
    summary: 'All mappings in ascending order of address',
    answer: { kind: 'list', key: 'mappings', row: mappingFacts },
  },
  segments: {
    ...ENDPOINTS.segments,
    summary: 'All segments in ascending order of id, mapped or not',
    answer: { kind: 'list', key: 'segments', row: segmentFacts },
  },
  gaps: {
    ...ENDPOINTS.gaps,
    summary: 'Where nothing is mapped, ascending, up to the end of the address space',
    answer: { kind: 'list', key: 'gaps', row: gapFacts },
  },
  iommu: {
    ...ENDPOINTS.iommu,
    summary: 'The devices behind the IOMMU, and what they asked for in vain',
    description: 'What they reach are the mappings with `iommu` set.',
    answer: { kind: 'json', schema: iommuFacts },
  },
  at: {
    ...ENDPOINTS.at,
    summary: 'What is mapped at an address',
    path: gpaPath,
    answer: { kind: 'json', schema: placeFacts },
  },
  readSegment: {
    ...ENDPOINTS.readSegment,
    summary: 'Bytes of a segment, whether or not the guest sees them',
    path: segmentPath,
    query: z.strictObject({
      offset: numberText.default(0).describe('of the first byte'),
      length: numberText.optional().describe('bytes; to the end of the segment when absent'),
      format,
    }),
    answer: { kind: 'bytes', ranges: true },
    problems: ['no-such-segment', 'range-not-satisfiable'],
  },
  writeSegment: {
    ...ENDPOINTS.writeSegment,
    summary: 'Write bytes of a segment, whatever the guest may do there',
    path: segmentPath,
    query: z.strictObject({ offset: numberText.default(0).describe('of the first byte') }),
    body: { kind: 'bytes' },
    answer: { kind: 'json', schema: written },
    problems: ['no-such-segment', 'range-not-satisfiable', 'too-large', 'unsupported-media'],
  },
  readGpa: {
    ...ENDPOINTS.readGpa,
    summary: 'Bytes as the guest sees them, across mappings',
    description: 'All of the range has to be mapped and readable.',
    path: gpaPath,
    query: z.strictObject({ length: numberText.describe('bytes'), format }),
    answer: { kind: 'bytes', ranges: true },
    problems: ['not-backed', 'range-not-satisfiable'],
  },
  writeGpa: {
    ...ENDPOINTS.writeGpa,
    summary: 'Write bytes as the guest would, across mappings',
    description:
      'All of the range has to be mapped and writable. A body without a Content-Length is written until it ends, or comes to where it may not.',
    path: gpaPath,
    query: z.strictObject({}),
    body: { kind: 'bytes' },
    answer: { kind: 'json', schema: written },
    problems: ['not-backed', 'too-large', 'unsupported-media'],
  },
  codeWritten: {
    ...ENDPOINTS.codeWritten,
    summary: 'Say what was written through a device node',
    description:
      'The processor keeps instructions that it has decoded, and the host does not notice when another process overwrites them through a node. Whoever does says so here, afterwards. Writes through this socket do it by themselves.',
    body: { kind: 'json', schema: codeWritten },
    answer: { kind: 'json', schema: z.object({ pages: z.int().min(0) }).meta({ id: 'PagesTold' }) },
    problems: ['no-such-segment', 'not-backed', 'range-not-satisfiable', 'too-large', 'unsupported-media'],
  },
  events: {
    ...ENDPOINTS.events,
    summary: 'Map edits, resets and changes of state as they happen: server-sent events',
    description:
      'The event stream of HTML, 9.2. First come the state and the map as they are. A reader that lets more than 1 MiB wait is cut off.',
    query: z.strictObject({
      kinds: z
        .string()
        .default(EVENT_KINDS.join(','))
        .transform((text) => text.split(','))
        .pipe(z.array(z.enum(EVENT_KINDS)).min(1))
        .describe(`which kinds, with commas between: ${EVENT_KINDS.join(', ')}`),
      replay: flag('`false`: only what changes from now on'),
    }),
    answer: { kind: 'events', events: EVENTS },
  },
  screenshot: {
    ...ENDPOINTS.screenshot,
    summary: 'What the display shows, as a PNG image',
    answer: { kind: 'png' },
    problems: ['no-picture'],
  },
  serialOutput: {
    ...ENDPOINTS.serialOutput,
    summary: 'What the guest sends to its serial port, for as long as the machine runs',
    description: 'A reader that lets more than 1 MiB wait is cut off.',
    query: z.strictObject({ replay: flag('`false`: only what comes from now on; otherwise the last 64 KiB first') }),
    answer: { kind: 'bytes', ranges: false },
  },
  serialInput: {
    ...ENDPOINTS.serialInput,
    summary: 'Bytes for the serial port',
    description: 'Taken at the pace of the guest: the body may go on for as long as the machine runs.',
    query: z.strictObject({}),
    body: { kind: 'bytes' },
    answer: { kind: 'json', schema: written },
    problems: ['too-large', 'unsupported-media'],
  },
} as const satisfies Record<string, Route>;

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
export const ROUTE_NAMES = Object.keys(ROUTES) as RouteName[];
