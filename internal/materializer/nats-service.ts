import { setTimeout as sleep } from "node:timers/promises";
import { headers, type Msg, type NatsConnection, nuid } from "nats";
import { materializedSubject } from "../messages/subjects.ts";
import { isObject } from "../service/json.ts";
import type { Log } from "../service/log.ts";
import { answerDiscovery, type EndpointFigures } from "../telemetry/discovery.ts";
import type { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";
import type { Coverage } from "./replay.ts";

export const serviceName = "casino-materializer";
/** Several materializers share the requests. Each folds all events, so any of them may answer. */
const queueGroup = "materializer";
const drainMs = 1_000;

class Rebuilding extends Error {
  constructor() {
    super("The figures are being rebuilt; they are there soon.");
  }
}

interface MaterializedServiceOptions {
  readonly nc: NatsConnection;
  readonly fold: Fold;
  readonly log: Log;
  readonly version: string;
  readonly coverage?: () => Coverage | undefined;
  /** Whether the figures are complete; otherwise requests get a 503. Default: yes. */
  readonly caughtUp?: () => boolean;
  /** The clock, milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Answers requests on `casino.materialized` with the aggregates, and discovery requests as a NATS micro service. A
 * request's body is empty or a JSON object with the parameters of the HTTP query. A request that cannot be answered gets
 * an empty reply with the headers `Nats-Service-Error-Code` and `Nats-Service-Error`. Survives reconnects.
 * @returns ends the service after the running requests; harmless the second time
 */
export function startMaterializedService(options: MaterializedServiceOptions): () => Promise<void> {
  const {
    nc,
    fold,
    log,
    version,
    coverage = () => undefined,
    caughtUp = () => true,
    now = Date.now,
  } = options;
  const counts = new RequestCounts();
  const folded = (): object | undefined => {
    const known = coverage();
    if (known === undefined) return undefined;
    const { since, first } = known;
    const total = fold.rhythm()?.total ?? 0;
    return { events_total: total, since: new Date(since).toISOString(), events_at_since: first ?? null };
  };
  const onError = (err: Error): void => log.error({ err }, "NATS refuses a subscription of the service");

  const serve = (request: Msg): void => {
    const began = performance.now();
    let failure: { code: number; message: string } | undefined;
    try {
      if (!caughtUp()) throw new Rebuilding();
      request.respond(answer(fold, parseQuery(readParameters(request.data)), now()));
    } catch (err) {
      if (err instanceof QueryError) failure = { code: 400, message: err.message };
      else if (err instanceof Rebuilding) failure = { code: 503, message: err.message };
      else {
        log.error({ err }, "a request cannot be answered");
        failure = { code: 500, message: "Internal error." };
      }
      const reply = headers();
      reply.set("Nats-Service-Error-Code", String(failure.code));
      reply.set("Nats-Service-Error", failure.message);
      request.respond("", { headers: reply });
    }
    counts.count(performance.now() - began, failure && `${failure.code}:${failure.message}`);
  };

  const subscription = nc.subscribe(materializedSubject, {
    queue: queueGroup,
    callback: (error, request) => (error ? onError(error) : serve(request)),
  });
  const identity = {
    name: serviceName,
    id: nuid.next(),
    version,
    description: "Aggregates of all final casino events: totals, rates and top players.",
    endpoints: [
      {
        name: "materialized",
        subject: materializedSubject,
        queueGroup,
        figures: () => counts.figures(folded()),
      },
    ],
  };
  const endDiscovery = answerDiscovery(nc, identity, onError);
  return async () => {
    endDiscovery();
    // While NATS is away a drain would wait until it is back.
    if (nc.isClosed() || subscription.isClosed()) return;
    await Promise.race([subscription.drain(), sleep(drainMs, undefined, { ref: false })]);
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readParameters(body: Uint8Array): Readonly<Record<string, unknown>> {
  let parameters: unknown;
  try {
    const text = utf8.decode(body);
    // `nats req casino.materialized` without a body, or `echo | nats req …`.
    parameters = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new QueryError("The body must be empty or a JSON object.");
  }
  if (!isObject(parameters)) throw new QueryError("The body must be empty or a JSON object.");
  return parameters;
}

/** Counts the requests of one endpoint since it started. */
class RequestCounts {
  #requests = 0;
  #errors = 0;
  #lastError: string | undefined;
  /** In nanoseconds. */
  #processingTime = 0;

  /** @param ms how long the request took; @param error its failure, if it failed */
  count(ms: number, error?: string): void {
    this.#requests++;
    this.#processingTime += Math.round(ms * 1_000_000);
    if (error === undefined) return;
    this.#errors++;
    this.#lastError = error;
  }

  /** @param data the service's own data about the endpoint */
  figures(data?: object): EndpointFigures {
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      ...(this.#lastError === undefined ? {} : { last_error: this.#lastError }),
      processing_time: this.#processingTime,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(this.#processingTime / this.#requests),
      ...(data === undefined ? {} : { data }),
    };
  }
}
