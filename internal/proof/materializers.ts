import type { NatsConnection } from "nats";
import { isObject } from "../jetstream/api.ts";
import { serviceName } from "../materializer/nats-service.ts";
import type { Coverage } from "../materializer/replay.ts";

/** A running materializer. */
interface Materializer {
  readonly total: number;
  /** Undefined before its first event. */
  readonly coverage: Coverage | undefined;
}

/** How long all of them may take to answer, and how long to wait after the last answer. */
const patience = { maxWait: 2_000, stall: 300 };

/** Asks every running materializer what it has counted, and from which events. */
export async function findMaterializers(nc: NatsConnection): Promise<readonly Materializer[]> {
  const found: Materializer[] = [];
  try {
    const replies = await nc.requestMany(`$SRV.STATS.${serviceName}`, "", { strategy: "stall", ...patience });
    for await (const reply of replies) {
      if (reply.data.length === 0) continue; // "no responders"
      const answer: unknown = reply.json();
      const endpoints = isObject(answer) && Array.isArray(answer.endpoints) ? answer.endpoints : [];
      const [endpoint]: unknown[] = endpoints;
      found.push(readMaterializer(isObject(endpoint) ? endpoint.data : undefined));
    }
  } catch {
    // Nobody listens there.
  }
  return found;
}

function readMaterializer(data: unknown): Materializer {
  const { events_total: total, since, events_at_since: first } = isObject(data) ? data : {};
  const at = Date.parse(String(since));
  return {
    total: Number(total ?? 0),
    coverage: Number.isNaN(at)
      ? undefined
      : { since: at, first: typeof first === "number" ? first : undefined },
  };
}
