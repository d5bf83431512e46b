import { type Static, Type } from "typebox";
import { Check } from "typebox/value";

const count = Type.Integer({ minimum: 0 });
const amount = Type.Number({ minimum: 0 });
const maybe = Type.Union([amount, Type.Null()]);
const slug = Type.String({ pattern: "^[A-Za-z0-9_-]{1,100}$" });
const sentences = Type.Array(Type.String());
const time = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$" });

const workForm = Type.Object({
  /** Done with since the process began: forwarded, written, or set aside. */
  events: count,
  /** Events a second, over the last five seconds. */
  rate: amount,
  /** Events in hand now. */
  in_flight: count,
  /** Messages in which the events came, since the process began. */
  messages: count,
  /** Events per message over the last five seconds; null when there were none. */
  bundle_mean: maybe,
  /** Messages since the process began that had been delivered before. */
  redelivered: count,
  /** Messages since the process began that were handed back, to come again. */
  retried: count,
  /** Events set aside since the process began. */
  dead_letters: count,
  dead_letters_by_reason: Type.Record(Type.String(), count),
  /** From received until done with, over the last five seconds; null when nothing was measured. */
  p50_ms: maybe,
  p99_ms: maybe,
});

const statusForm = Type.Object({
  service: slug,
  /** This process among all, before and after it. */
  instance: slug,
  host: Type.String(),
  pid: count,
  version: Type.String(),
  started_at: time,
  at: time,
  /** As `/readyz` has it. */
  ready: Type.Boolean(),
  /** Why not, a sentence for each check that does not pass: `<check>: <sentence>`. */
  problems: sentences,
  /** What is no reason to be taken out of service, but for somebody to look. */
  warnings: sentences,
  /** CPU time over the last second, in cores. */
  cpu: amount,
  /** Bytes. */
  memory: Type.Object({ rss: count, heap_used: count }),
  /** How late the event loop was over the last second. */
  event_loop_p99_ms: amount,
  /** By step of an enricher; `ingest`, `fold`, `log`, `archive` of the others. */
  work: Type.Record(slug, workForm),
});

/** The keys of a status, and of each of its works: for the docs. */
export const statusKeys = [...Object.keys(statusForm.properties), ...Object.keys(workForm.properties)];

/** How a service is, as it says once a second on `croupier.status.<service>.<instance>`. */
export type Status = Static<typeof statusForm>;

/** How one of its works goes: a step, or what it reads the log for. */
export type WorkStatus = Static<typeof workForm>;

export function encodeStatus(status: Status): string {
  return JSON.stringify(status);
}

/** Reads a status; undefined for what is none. What a newer version says beside it is passed over. */
export function decodeStatus(data: Uint8Array): Status | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
  return Check(statusForm, value) ? value : undefined;
}
