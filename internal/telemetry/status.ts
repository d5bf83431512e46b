import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { readJson } from "../service/json.ts";

const count = Type.Integer({ minimum: 0 });
const amount = Type.Number({ minimum: 0 });
const maybe = Type.Union([amount, Type.Null()]);
const slug = Type.String({ pattern: "^[A-Za-z0-9_-]{1,100}$" });
const sentences = Type.Array(Type.String());
const time = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$" });

const workForm = Type.Object({
  /** Events handled since the process started: forwarded, written or dead-lettered. */
  events: count,
  /** Events per second, over the last five seconds. */
  rate: amount,
  /** Events in hand now. */
  in_flight: count,
  /** Messages that carried these events. */
  messages: count,
  /** Events per message over the last five seconds; null if there were none. */
  bundle_mean: maybe,
  /** Redelivered messages since the process started. */
  redelivered: count,
  /** Messages handed back since the process started, to be delivered again. */
  retried: count,
  /** Dead letters since the process started. */
  dead_letters: count,
  dead_letters_by_reason: Type.Record(Type.String(), count),
  /** Time from receiving until handled, over the last five seconds; null if nothing was measured. */
  p50_ms: maybe,
  p99_ms: maybe,
});

const statusForm = Type.Object({
  service: slug,
  /** Identifies this process among all, past and future. */
  instance: slug,
  host: Type.String(),
  pid: count,
  version: Type.String(),
  started_at: time,
  at: time,
  /** The same as in `/readyz`. */
  ready: Type.Boolean(),
  /** A sentence for each failing check: `<check>: <sentence>`. */
  problems: sentences,
  /** Problems that do not make the service unready. */
  warnings: sentences,
  /** CPU time over the last second, in cores. */
  cpu: amount,
  /** Bytes. */
  memory: Type.Object({ rss: count, heap_used: count }),
  /** Event loop delay over the last second. */
  event_loop_p99_ms: amount,
  /** By an enricher's step; `ingest`, `fold`, `log`, `archive` for others. */
  work: Type.Record(slug, workForm),
});

/** The keys of a status, and of each of its works: for the docs. */
export const statusKeys = [...Object.keys(statusForm.properties), ...Object.keys(workForm.properties)];

/** A service's status, published once a second on `croupier.status.<service>.<instance>`. */
export type Status = Static<typeof statusForm>;

/** The figures of one work: a step, or a reader of the log. */
export type WorkStatus = Static<typeof workForm>;

export function encodeStatus(status: Status): string {
  return JSON.stringify(status);
}

/** Parses a status; undefined if it is invalid. Keys of newer versions are ignored. */
export function decodeStatus(data: Uint8Array): Status | undefined {
  const value = readJson(Buffer.from(data).toString());
  return Check(statusForm, value) ? value : undefined;
}
