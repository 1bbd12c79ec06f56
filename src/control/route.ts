import type * as z from 'zod';
import type { EVENTS } from './facts.ts';
import type { ProblemKind } from './problem-kind.ts';

/** What a request carries. `bytes`: octets, or hexadecimal digits as text. */
export type Body = { readonly kind: 'json'; readonly schema: z.ZodType } | { readonly kind: 'bytes' };

/** What an answer carries. A list is one JSON object with one array in it, written row by row. */
export type Answer =
  | { readonly kind: 'json'; readonly schema: z.ZodType }
  | { readonly kind: 'list'; readonly key: string; readonly row: z.ZodType }
  | { readonly kind: 'bytes'; readonly ranges: boolean }
  | { readonly kind: 'png' }
  | { readonly kind: 'events'; readonly events: typeof EVENTS };

/** One row of the table from which server, description and client come. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** With `{name}` for each parameter of `path`. */
  readonly route: string;
  readonly summary: string;
  readonly description?: string;
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: Body;
  readonly answer: Answer;
  /** Beyond a malformed request, which every route answers with 400. */
  readonly problems?: readonly ProblemKind[];
}

type Part<R, Key extends string> = R extends { readonly [K in Key]: infer Schema extends z.ZodType } ? Schema : never;

/** What a handler is given: parameters as values. */
export type Parameters<R extends Route> = ([Part<R, 'path'>] extends [never] ? unknown : z.output<Part<R, 'path'>>) &
  ([Part<R, 'query'>] extends [never] ? unknown : z.output<Part<R, 'query'>>) &
  (R extends { readonly body: { readonly kind: 'json'; readonly schema: infer Schema extends z.ZodType } }
    ? { readonly body: z.output<Schema> }
    : unknown);

/** Parameters as a caller gives them: as values, and those that have defaults need not be there. */
type Given<S extends z.ZodType> = {
  [K in keyof z.input<S>]: K extends keyof z.output<S> ? z.output<S>[K] : never;
};

/** What a caller gives for path and query. */
export type Fields<R extends Route> = ([Part<R, 'path'>] extends [never] ? unknown : Given<Part<R, 'path'>>) &
  ([Part<R, 'query'>] extends [never] ? unknown : Given<Part<R, 'query'>>);

/** The JSON that a caller sends. */
export type JsonBody<R extends Route> = R extends {
  readonly body: { readonly kind: 'json'; readonly schema: infer Schema extends z.ZodType };
}
  ? z.input<Schema>
  : never;

/** What JSON comes back. */
export type Json<R extends Route> = R['answer'] extends {
  readonly kind: 'json';
  readonly schema: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : R['answer'] extends {
        readonly kind: 'list';
        readonly key: infer Key extends string;
        readonly row: infer Row extends z.ZodType;
      }
    ? { readonly [K in Key]: z.output<Row>[] }
    : never;
