/** The control socket of a machine. */
export { ControlServer } from './control-server.ts';
export type { ControlOptions } from './control-server.ts';
export { SerialTap } from './serial-tap.ts';
export { isAnswering, socketPath } from './socket-file.ts';
export { TurnShare } from './turn-share.ts';
