import type { RouteShorthandOptions } from "fastify";
import type { Log } from "../service/log.ts";
import type { Keys } from "./authentication.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Slices } from "./slices.ts";

/** Times in ms. */
export interface RouteLimits {
  /** How long to wait for the broker before answering 503. */
  readonly patienceMs: number;
  /** How long a body may take; in NDJSON, the next line. */
  readonly bodyWithinMs: number;
  /** How long an NDJSON body may go without an event, kept open by blank lines. */
  readonly eventWithinMs: number;
}

/** What every group of routes gets from the gateway. */
export interface RouteContext {
  readonly keys: Keys;
  /** Options of a route that needs a key: `holderOf` returns its holder, and the request counts against the key's limit. */
  readonly behindKey: RouteShorthandOptions;
  /** Memory for unfinished bodies, shared by all groups. */
  readonly bodies: BodyBudget;
  readonly slices: Slices;
  readonly limits: RouteLimits;
  readonly log: Log;
  /** Aborted when the process stops: long requests are answered then. */
  readonly stopping: AbortSignal;
}
