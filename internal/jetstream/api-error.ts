import { JetStreamApiError } from "@nats-io/jetstream";
import { reasonOf } from "../service/log.ts";

// Codes of the server's errors.json. The numbers are stable, the descriptions are not.
export const nameInUse = [10058];
export const subjectsTaken = [10065];
export const consumerExists = [10013, 10105, 10148];
export const streamNotFound = [10059];
export const consumerNotFound = [10014];
/** A work queue gives each subject to one consumer only. */
export const consumerInTheWay = [10100];
export const noRoom = [10047, 10028];
/** "no message found", and after a deletion "message not found": older servers have no separate code for it. */
export const messageNotFound = [10037, 10057];
/** Another message was stored first where this one had to be the next; in a cluster from 2.12 on, or is being stored. */
export const outrun = [10071, 10164];
/** JetStream is off: for this account, or on this server. */
export const notEnabled = [10039, 10076];
const noCluster = [10074];

/** Whether JetStream refused a request for one of these reasons. Also sees through `explain`. */
export function hasCode(err: unknown, codes: readonly number[]): boolean {
  const refusal = err instanceof Error && err.cause instanceof JetStreamApiError ? err.cause : err;
  return refusal instanceof JetStreamApiError && codes.includes(refusal.code);
}

/** Whether `explain` found that nobody answers JetStream requests: it is off, or belongs to another account. */
export function isWithoutJetStream(err: unknown): boolean {
  return err instanceof Error && err.cause instanceof Error && err.cause.name === "JetStreamNotEnabled";
}

/**
 * One sentence: what could not be done, why, and what to do about it where that is known.
 * @param move what to do next
 */
export function explain(err: unknown, what: string, move?: string): Error {
  const message = reasonOf(err);
  const next = hasCode(err, noRoom)
    ? "lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES or raise max_file_store of the server"
    : hasCode(err, noCluster)
      ? "set NATS_REPLICAS to 1, or join the server to a cluster"
      : move;
  return new Error(`${what}: ${message}${next === undefined ? "" : `: ${next}`}`, { cause: err });
}
