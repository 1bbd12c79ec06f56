import { Lifetimes } from '../base/disposable.ts';
import type { MakeArena } from '../machine/arena.ts';
import { ArenaStore } from '../memory/index.ts';
import { HostError } from './host-error.ts';
import { MachineNodes } from './machine-nodes.ts';
import type { PagePolicy } from './page-policy.ts';
import type { RunOptions } from './run-options.ts';

/** The arena of a machine whose segments other processes can map. */
export class NodeArena implements Disposable {
  readonly #options: Pick<RunOptions, 'name' | 'wired' | 'core'>;
  readonly #lifetimes: Lifetimes = new Lifetimes();
  #pages: PagePolicy | undefined;

  constructor(options: Pick<RunOptions, 'name' | 'wired' | 'core'>) {
    this.#options = options;
  }

  /** How the host keeps the arena's pages, once it is made; none without nodes. */
  get pages(): PagePolicy | undefined {
    return this.#pages;
  }

  /** The ordinary one, and a line that says why, where there are no nodes. */
  readonly make: MakeArena = (request) => {
    try {
      return this.#makeWithNodes(request);
    } catch (error) {
      if (this.#options.wired || !(error instanceof HostError && error.code === 'ENOTSUP')) throw error;
      process.stderr.write(`skep: ${error.message}\n`);
      return new ArenaStore(request);
    }
  };

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }

  #makeWithNodes(request: Parameters<MakeArena>[0]): ArenaStore {
    const { name, wired, core } = this.#options;
    const nodes = this.#lifetimes.own(new MachineNodes({ name }));
    const store = this.#lifetimes.own(nodes.arenaStore(request));
    store.pages.setCore(core);
    if (wired) store.pages.wire();
    this.#pages = store.pages;
    return store;
  }
}
