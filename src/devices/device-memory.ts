import type { GuestMemory } from '../memory/guest-memory.ts';

/** What a device that owns memory is given: it may make its own segment and windows on it, and sees no map. */
export type DeviceMemory = Pick<GuestMemory, 'createSegment' | 'window'>;
