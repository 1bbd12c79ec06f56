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
export { PROBLEM_TYPE, problemFacts, PROBLEMS } from './problem.ts';
export type { Problem, ProblemKind } from './problem.ts';
export type { Answer, Body, Fields, Json, JsonBody, Parameters, Route } from './route.ts';
export { ROUTE_NAMES, ROUTES } from './routes.ts';
export type { RouteName, Routes } from './routes.ts';
