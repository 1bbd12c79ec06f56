import { ArenaStore, type Extent, type ExtentUse } from '../memory/index.ts';
import { forbid, GUARD_LENGTH, showFile, showZeros } from './address-range.ts';
import type { Libc } from './libc.ts';
import { PagePolicy } from './page-policy.ts';
import type { SegmentFile, SegmentFiles } from './segment-files.ts';
import { outOfMemory, type SharedStore } from './shared-store.ts';

export interface MemfdArenaStoreOptions {
  /** Of segments, tables and guards: a segment takes 8 MiB more than its length. */
  readonly capacity: number;
  /** Bytes at address 0 kept for the engine. */
  readonly reserved?: number;
  readonly libc: Libc;
  readonly files: SegmentFiles;
  readonly pages?: PagePolicy;
}

/** Addresses for a segment, between two guards. */
interface Room {
  readonly address: number;
  readonly length: number;
  /** With its guards. */
  readonly guarded: Extent;
}

interface Tenant {
  readonly extent: Extent;
  readonly file: SegmentFile;
  readonly room: Room;
}

/**
 * An arena where each segment's range shows the segment's file, so that WebAssembly, JavaScript and other processes all
 * see the same bytes. Tables and the engine's own bytes are the process's alone.
 *
 *     WebAssembly.Memory   engine │ flat view │ guard │ ram ············│ guard │ guard │ bootrom ·│ guard │ …
 *                                                       mmap(MAP_SHARED | MAP_FIXED) of the segments' files
 *
 * Each segment lies in a room between two guards of 4 MiB that nothing may touch: a store of the engine that leaves its
 * segment traps in WebAssembly instead of changing a neighbour.
 *
 * Lifetime: the collector unmaps a `WebAssembly.Memory` as a whole once nothing refers to it, with whatever has been
 * mapped into it by then, and the addresses may become somebody else's. So every address is asked anew from the buffer,
 * and the store, which holds the memory, is alive while it uses one. What is freed shows zeros again, until
 * another segment comes to lie there, and so does all of it after the end: a view that somebody has kept does not crash.
 * For its sake a room stays a room, for segments that are as long or shorter: no guard ever comes to lie where a segment was.
 */
export class MemfdArenaStore extends ArenaStore implements SharedStore {
  readonly pages: PagePolicy;
  readonly #libc: Libc;
  readonly #files: SegmentFiles;
  readonly #tenants: Map<number, Tenant> = new Map();
  readonly #vacant: Set<Room> = new Set();

  constructor({ capacity, reserved = 0, libc, files, pages = new PagePolicy(libc) }: MemfdArenaStoreOptions) {
    super({ capacity, reserved });
    this.#libc = libc;
    this.#files = files;
    this.pages = pages;
  }

  /** What segments and tables use: no guards and no vacant rooms. */
  override get used(): number {
    let unused = 0;
    for (const { guarded } of this.#vacant) unused += guarded.bytes.length;
    for (const { room, extent } of this.#tenants.values()) unused += room.guarded.bytes.length - extent.bytes.length;
    return super.used - unused;
  }

  /** Throws MemoryError ENOMEM, or EINVAL and EEXIST for a bad layout; HostError when the kernel refuses. Takes nothing then. */
  override allocate(length: number, use?: ExtentUse): Extent {
    const vacant = this.#vacantRoom(length);
    try {
      return vacant === undefined ? this.#settleAnew(length, use) : this.#settle(vacant, length, use);
    } catch (error) {
      throw outOfMemory(error, length);
    }
  }

  override allocateTable(length: number): Extent {
    return super.allocate(length);
  }

  override free(extent: Extent): void {
    const tenant = this.#tenants.get(extent.address);
    if (tenant === undefined) super.free(extent);
    else this.#vacate(tenant);
  }

  override [Symbol.dispose](): void {
    for (const tenant of this.#tenants.values()) this.#vacate(tenant);
    for (const room of this.#vacant) this.#raze(room);
    super[Symbol.dispose]();
  }

  /** The smallest one that is long enough. */
  #vacantRoom(length: number): Room | undefined {
    let best: Room | undefined;
    for (const room of this.#vacant) if (room.length >= length && room.length < (best?.length ?? Infinity)) best = room;
    return best;
  }

  #settleAnew(length: number, use: ExtentUse | undefined): Extent {
    const guarded = super.allocate(length + 2 * GUARD_LENGTH);
    const room = { address: guarded.address + GUARD_LENGTH, length, guarded };
    try {
      forbid(this.#libc, this.#hostAddress(guarded.address), GUARD_LENGTH);
      forbid(this.#libc, this.#hostAddress(room.address + length), GUARD_LENGTH);
      return this.#settle(room, length, use);
    } catch (error) {
      this.#raze(room);
      throw error;
    }
  }

  #settle(room: Room, length: number, use: ExtentUse | undefined): Extent {
    const file = this.#files.open(length, use);
    const extent = { address: room.address, bytes: new Uint8Array(this.memory.buffer, room.address, length) };
    const tenant = { extent, file, room };
    this.#vacant.delete(room);
    this.#tenants.set(room.address, tenant);
    try {
      showFile(this.#libc, this.#hostAddress(room.address), file.slices);
      this.pages.add(this.#hostAddress(room.address), length);
      return extent;
    } catch (error) {
      this.#vacate(tenant);
      throw error;
    }
  }

  #vacate({ extent, file, room }: Tenant): void {
    const start = this.#hostAddress(room.address);
    showZeros(this.#libc, start, extent.bytes.length);
    this.pages.remove(start);
    file[Symbol.dispose]();
    this.#tenants.delete(room.address);
    this.#vacant.add(room);
  }

  #raze(room: Room): void {
    showZeros(this.#libc, this.#hostAddress(room.guarded.address), room.guarded.bytes.length);
    this.#vacant.delete(room);
    super.free(room.guarded);
  }

  /** Where an address of the arena is in this process. */
  #hostAddress(address: number): number {
    return this.#libc.addressOf(this.memory.buffer) + address;
  }
}
