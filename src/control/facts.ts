import * as z from 'zod';

/**
 * What a machine tells about itself. Addresses, offsets and lengths are JSON numbers: none has more than 52 bits.
 * Registers have 64, so they are text.
 */
const whole = z.int().min(0);

const STOPS = ['power-off', 'shutdown', 'time-limit', 'interrupted', 'stopped', 'debug-exit'] as const;

export const machineFacts = z
  .object({
    name: z.string(),
    pid: whole.describe('process that runs the machine'),
    state: z.enum(['running', 'paused', 'stopped']),
    memory: whole.describe('bytes of RAM'),
    time: whole.describe('machine time, nanoseconds since power-on'),
    instructions: whole.describe('instructions executed since power-on'),
    resets: whole.describe('resets since power-on'),
    addressBits: whole.describe('width of a guest-physical address'),
    unclaimed: z
      .object({ portReads: whole, portWrites: whole, mmioReads: whole, mmioWrites: whole })
      .describe('accesses that no device claimed'),
  })
  .meta({ id: 'Machine' });

export const segmentFacts = z
  .object({
    id: whole.describe('never reused, never renumbered'),
    name: z.string(),
    kind: z.enum(['sysmem', 'devmem']),
    length: whole.describe('bytes'),
    mappings: whole.describe('how often the guest sees a piece of it'),
    wired: z.boolean().describe('all of it is locked in host memory (`--wire`)'),
    core: z.boolean().describe('core dumps of the process have it (`--core`)'),
  })
  .meta({ id: 'Segment' });

export const mappingFacts = z
  .object({
    gpa: whole.describe('where the guest sees it'),
    end: whole.describe('first address behind it'),
    length: whole.describe('bytes'),
    segment: z.string(),
    kind: z.enum(['sysmem', 'devmem']),
    offset: whole.describe('of the first byte in the segment'),
    prot: z.enum(['r--', '-w-', 'rw-', '--x', 'r-x', '-wx', 'rwx']),
    wired: z.boolean().describe('its pages stay in host memory'),
    iommu: z.boolean().describe('assigned devices reach it'),
  })
  .meta({ id: 'Mapping' });

export const gapFacts = z
  .object({ start: whole, end: whole.describe('first address behind it'), length: whole })
  .meta({ id: 'Gap' });

export const placeFacts = z
  .object({
    gpa: whole,
    mapping: mappingFacts.nullable().describe('what is mapped there'),
    offset: whole.nullable().describe('of the address in the segment'),
    gap: gapFacts.nullable().describe('the gap around it, when nothing is mapped there'),
  })
  .meta({ id: 'Place' });

export const iommuFacts = z
  .object({
    devices: z.array(z.string()).describe('those that are assigned; none while there is no domain'),
    faults: whole.describe('how often one of them asked for what it cannot reach'),
    latest: z
      .array(
        z.object({
          device: z.string(),
          gpa: whole.describe('the first address out of reach'),
          access: z.enum(['read', 'write']),
          reason: z.enum(['unmapped', 'protected', 'unassigned']),
        }),
      )
      .describe('the latest of these, oldest first'),
  })
  .meta({ id: 'Iommu' });

export const registersFacts = z
  .record(z.string(), z.string().regex(/^0x[0-9a-f]{1,16}$/))
  .describe('by lower-case name, in hexadecimal')
  .meta({ id: 'Registers' });

export const barFacts = z
  .object({
    name: z.string(),
    type: z.enum(['io', 'mem32', 'mem64', 'rom']),
    length: whole,
    address: whole.describe('what the guest has written to the register'),
    place: whole.nullable().describe('where the guest sees it, if anywhere'),
  })
  .meta({ id: 'Bar' });

export const deviceFacts = z
  .discriminatedUnion('bus', [
    z.object({ bus: z.literal('isa'), name: z.string(), ports: z.object({ start: whole, length: whole }) }),
    z.object({
      bus: z.literal('pci'),
      name: z.string(),
      slot: whole,
      function: whole,
      vendor: whole,
      device: whole,
      classCode: whole,
      command: whole.describe('the command register'),
      bars: z.array(barFacts),
    }),
  ])
  .meta({ id: 'Device' });

/** What each kind of event carries. */
export const EVENTS = {
  map: z
    .object({
      time: whole.describe('machine time, nanoseconds'),
      cause: z
        .string()
        .describe('what the guest was doing; `machine` when it was not the guest, `now` for the map at the start'),
      removed: z.array(mappingFacts),
      added: z.array(mappingFacts),
    })
    .meta({ id: 'MapEvent' }),
  reset: z.object({ time: whole, resets: whole }).meta({ id: 'ResetEvent' }),
  state: z
    .object({
      time: whole,
      state: machineFacts.shape.state,
      reason: z.enum(STOPS).optional().describe('why it has stopped'),
    })
    .meta({ id: 'StateEvent' }),
} as const;

export type EventKind = keyof typeof EVENTS;
export const EVENT_KINDS = Object.keys(EVENTS) as [EventKind, ...EventKind[]];

export type MachineFacts = z.infer<typeof machineFacts>;
export type SegmentFacts = z.infer<typeof segmentFacts>;
export type MappingFacts = z.infer<typeof mappingFacts>;
export type GapFacts = z.infer<typeof gapFacts>;
export type PlaceFacts = z.infer<typeof placeFacts>;
export type IommuFacts = z.infer<typeof iommuFacts>;
export type Registers = z.infer<typeof registersFacts>;
export type DeviceFacts = z.infer<typeof deviceFacts>;
export type EventOf<Kind extends EventKind> = z.infer<(typeof EVENTS)[Kind]>;
