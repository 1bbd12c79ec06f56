/** How an interrupt message is to be delivered: its three bits of every ICR, LVT entry and redirection entry. */
export const DELIVERY = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startUp: 6,
  external: 7,
} as const;

/** A destination that means everybody. Whoever has eight bits of destination says it when all of them are set. */
export const BROADCAST = 0xffff_ffff;

/** One processor's local APIC, as the others see it. */
export interface ApicAgent {
  /** Whether a message with this destination is meant for it. */
  accepts(destination: number, logical: boolean): boolean;
  /** What decides, lowest first, who takes a message of lowest priority. */
  readonly priority: number;
  deliver(mode: number, vector: number, level: boolean): void;
}

/** Who wants to know that a level-triggered interrupt has been dealt with: an I/O APIC. */
export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

/**
 * What carries interrupt messages between local APICs and I/O APICs: the APIC bus of old, the system bus of today (SDM
 * volume 3, section 11.2). The machine attaches everybody; nobody knows anybody.
 */
export class ApicBus {
  readonly #agents: ApicAgent[] = [];
  readonly #listeners: EoiListener[] = [];

  attachProcessor(agent: ApicAgent): void {
    this.#agents.push(agent);
  }

  attachController(listener: EoiListener): void {
    this.#listeners.push(listener);
  }

  /** To whom it may concern, but for `except`. False when nobody took it. */
  send(
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    level: boolean,
    except?: ApicAgent,
  ): boolean {
    if (mode === DELIVERY.lowestPriority) return this.#sendToOne(destination, logical, vector, level, except);
    let taken = false;
    for (const agent of this.#agents) {
      if (agent === except || !agent.accepts(destination, logical)) continue;
      agent.deliver(mode, vector, level);
      taken = true;
    }
    return taken;
  }

  endOfInterrupt(vector: number): void {
    for (const listener of this.#listeners) listener.endOfInterrupt(vector);
  }

  /** Lowest priority: one of those it is meant for; the first of equals. */
  #sendToOne(destination: number, logical: boolean, vector: number, level: boolean, except?: ApicAgent): boolean {
    let chosen: ApicAgent | undefined;
    for (const agent of this.#agents) {
      if (agent === except || !agent.accepts(destination, logical)) continue;
      if (chosen === undefined || agent.priority < chosen.priority) chosen = agent;
    }
    chosen?.deliver(DELIVERY.fixed, vector, level);
    return chosen !== undefined;
  }
}
