import type { RouteShorthandOptions } from "fastify";
import type { Log } from "../service/log.ts";
import type { Keys } from "./authentication.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Slices } from "./slices.ts";

/** Times in ms. */
export interface RouteLimits {
  /** How long to wait for the broker before the answer is 503. */
  readonly patienceMs: number;
  /** How long a body may take; in a stream of lines, the next line. */
  readonly bodyWithinMs: number;
  /** How long a stream of lines may go without an event, kept open by blank lines. */
  readonly eventWithinMs: number;
}

/** What the gateway gives each group of its routes, beside what the group itself depends on. */
export interface RouteContext {
  readonly keys: Keys;
  /** Options of a route that needs a key: `holderOf` tells whose it is, and it counts against the key's limit. */
  readonly behindKey: RouteShorthandOptions;
  /** What bodies under way may take, of all groups together. */
  readonly bodies: BodyBudget;
  readonly slices: Slices;
  readonly limits: RouteLimits;
  readonly log: Log;
  /** Aborted when the process stops: what would go on for long is answered then. */
  readonly stopping: AbortSignal;
}
