/** The public names of `skep/client`. */
export { connect, machineNames, socketOf } from './connect.ts';
export { ControlError } from './control-error.ts';
export { MachineClient } from './machine-client.ts';
export type { MachineEvent, ReadOptions, Where } from './machine-client.ts';
export type {
  DeviceFacts,
  EventKind,
  GapFacts,
  IommuFacts,
  MachineFacts,
  MappingFacts,
  PlaceFacts,
  Problem,
  SegmentFacts,
} from '../control/index.ts';
