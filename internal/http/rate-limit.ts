import rateLimit, { type FastifyRateLimitStore } from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import { Problem } from "../service/problem.ts";
import { holderOf } from "./authentication.ts";
import type { RequestCounter } from "./request-counter.ts";

const windowMs = 1_000;

/** For the `config` of a route behind a key: its requests count against the key's limit. */
export const perKey = { rateLimit: {} };

/** Limits the requests of each key over all routes with `perKey`. Register it before the routes. */
export async function limitRates(app: FastifyInstance, max: number, counter: RequestCounter): Promise<void> {
  class Store implements FastifyRateLimitStore {
    incr(key: string, callback: Parameters<FastifyRateLimitStore["incr"]>[1]): void {
      counter.count(key, windowMs).then(
        (count) => callback(null, count),
        (err: Error) => callback(err),
      );
    }
    child(): Store {
      return this;
    }
  }
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: windowMs,
    store: Store,
    keyGenerator: (request) => holderOf(request).keyId,
    errorResponseBuilder: () =>
      new Problem(
        429,
        `This API key makes more than ${max} requests per second: wait, or send more events in each.`,
      ),
  });
}
