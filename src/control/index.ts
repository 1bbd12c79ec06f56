/** What is said over a control socket: one table of routes, its schemas, and the description made from them. */
export { description } from './description.ts';
export { ENDPOINTS } from './endpoints.ts';
export { EVENT_KINDS, EVENTS } from './facts.ts';
export type {
  DeviceFacts,
  EventKind,
  EventOf,
  GapFacts,
  IommuFacts,
  MachineFacts,
  MappingFacts,
  PlaceFacts,
  Registers,
  SegmentFacts,
} from './facts.ts';
export { LIMITS } from './limits.ts';
export { problemFacts } from './problem.ts';
export type { Problem } from './problem.ts';
export { PROBLEM_TYPE, PROBLEMS } from './problem-kind.ts';
export type { ProblemKind } from './problem-kind.ts';
export type { Answer, Body, Fields, Json, JsonBody, Parameters, Route } from './route.ts';
export { ROUTE_NAMES, ROUTES } from './routes.ts';
export type { RouteName, Routes } from './routes.ts';
