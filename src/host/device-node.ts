import { lstatSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { disposable } from '../base/disposable.ts';
import { attempt, HostError } from './host-error.ts';
import type { Memfd } from './memfd.ts';

/** MACHINE.sock is the control socket. */
const SOCKET = 'sock';

const LINK_TO_DESCRIPTOR = /^\/proc\/(\d+)\/fd\/\d+$/;

/** A device node as it is found in a run folder. */
export interface FoundNode {
  readonly path: string;
  readonly machine: string;
  /** Undefined for the node of a machine's sysmem. */
  readonly segment: string | undefined;
  /** The process whose memory it shows. */
  readonly pid: number;
  /** False for what a process that was killed has left behind, whoever has its number now. */
  readonly live: boolean;
}

/** A file name in the run folder: MACHINE for sysmem, MACHINE.SEGMENT for devmem. */
export function nodeName(machine: string, segment?: string): string {
  return segment === undefined ? machine : `${machine}.${segment}`;
}

/**
 * The device nodes of one machine: symbolic links to the files behind its segments. Whoever makes it holds the claim to
 * the machine's name, so no other process makes or removes nodes of this name meanwhile.
 */
export class DeviceNodes implements Disposable {
  readonly folder: string;
  readonly machine: string;
  readonly #shown: Set<Disposable> = new Set();

  /** Removes the nodes and the socket that an earlier machine of the name has left behind. */
  constructor(folder: string, machine: string) {
    this.folder = folder;
    this.machine = machine;
    attempt(`clear stale nodes of ${machine}`, () => this.#clearStale());
  }

  /** Shows a file until the end of what is returned. EEXIST when the name is taken by something that skep did not make. */
  show(file: Memfd, segment?: string): Disposable {
    const name = nodeName(this.machine, segment);
    const path = join(this.folder, name);
    if (segment === SOCKET) throw new HostError('EEXIST', `${name} is the machine's control socket`, { path });
    // One system call, and it never replaces anything: the node is there whole or not at all.
    attempt(`make the device node ${path}`, () => symlinkSync(file.path, path));
    const shown = disposable(() => {
      this.#shown.delete(shown);
      remove(path, file.path);
    });
    this.#shown.add(shown);
    return shown;
  }

  /** Whoever should have ended a node may have failed to. */
  [Symbol.dispose](): void {
    for (const shown of this.#shown) shown[Symbol.dispose]();
  }

  /** A socket that was being made when its machine was killed has a name of its own still (control/socket-file.ts). */
  #isOurs(name: string): boolean {
    return name === this.machine || name.startsWith(`${this.machine}.`) || name.startsWith(`.${this.machine}.sock.`);
  }

  #clearStale(): void {
    for (const name of readdirSync(this.folder)) {
      if (!this.#isOurs(name)) continue;
      const path = join(this.folder, name);
      if (targetOf(path) !== undefined || isSocket(path)) unlinkSync(path);
    }
  }
}

/** All nodes in a run folder, of all machines, in the order of their names. */
export function findNodes(folder: string): FoundNode[] {
  const names = attempt(`list the run folder ${folder}`, () => readdirSync(folder));
  return names.sort().flatMap((name) => findNode(folder, name) ?? []);
}

function findNode(folder: string, name: string): FoundNode | undefined {
  const path = join(folder, name);
  const target = targetOf(path);
  if (target === undefined) return undefined;
  const dot = name.indexOf('.');
  return {
    path,
    machine: dot < 0 ? name : name.slice(0, dot),
    segment: dot < 0 ? undefined : name.slice(dot + 1),
    pid: Number(LINK_TO_DESCRIPTOR.exec(target)![1]),
    // A process number may have a new owner, and a descriptor another file: the file says whose node it is.
    live: readLink(target) === `/memfd:${name} (deleted)`,
  };
}

/** Where a node leads; undefined for what is no node. */
function targetOf(path: string): string | undefined {
  const target = readLink(path);
  return target !== undefined && LINK_TO_DESCRIPTOR.test(target) ? target : undefined;
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** Somebody may have removed the node, or put something of their own there. */
function remove(path: string, target: string): void {
  if (readLink(path) !== target) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
