import type { Json, Parameters, Route, RouteName, Routes } from '../../control/index.ts';
import type { Machine } from '../../machine/machine.ts';
import type { EventFeed } from './event-feed.ts';
import type { Exchange } from './exchange.ts';
import type { PageFacts } from './memory-facts.ts';
import type { SerialTap } from './serial-tap.ts';

/** What handlers work on. */
export interface Controlled {
  readonly machine: Machine;
  readonly events: EventFeed;
  readonly serial: SerialTap;
  readonly pages: PageFacts;
  /** Something was asked for that a sleeping machine has to notice. */
  readonly wake: () => void;
}

/** Gives JSON, or the rows of a list; a route of any other kind sends its answer itself. */
type Result<R extends Route> = R['answer'] extends { readonly kind: 'json' }
  ? Json<R> | Promise<Json<R>>
  : R['answer'] extends { readonly kind: 'list'; readonly key: infer Key extends string }
    ? Iterable<Json<R> extends Record<Key, (infer Row)[]> ? Row : never>
    : Promise<void>;

export type Handler<R extends Route> = (
  controlled: Controlled,
  parameters: Parameters<R>,
  exchange: Exchange,
) => Result<R>;

/** One handler for each row of the table of routes. */
export type Handlers = { readonly [Name in RouteName]: Handler<Routes[Name]> };
