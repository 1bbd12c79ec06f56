import type { Stop } from './run-loop.ts';

export type LifeState = 'running' | 'paused' | 'stopped';

/** What happens to a machine as a whole. */
export type LifeEvent =
  | { readonly kind: 'state'; readonly state: LifeState; readonly reason?: Stop }
  | { readonly kind: 'reset' };
