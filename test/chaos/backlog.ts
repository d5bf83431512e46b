import type { JetStreamManager } from "@nats-io/jetstream";
import { waitFor } from "../harness/wait-for.ts";
import type { Ledger } from "./ledger.ts";
import type { Load } from "./load.ts";
import type { ChaosStack } from "./stack.ts";

const queues = ["CASINO_RAW", "CASINO_PRICED", "CASINO_PROFILED", "CASINO_APART"];
const readers = ["archiver", "logger"];

/** The remaining backlog, in words; undefined if there is none. */
export async function backlog(jsm: JetStreamManager): Promise<string | undefined> {
  const [held, behind] = await Promise.all([
    Promise.all(queues.map(async (name) => [name, (await jsm.streams.info(name)).state.messages] as const)),
    Promise.all(
      readers.map(async (name) => {
        const { num_pending, num_ack_pending } = await jsm.consumers.info("CASINO_EVENTS", name);
        return [name, num_pending + num_ack_pending] as const;
      }),
    ),
  ]);
  const left = [...held, ...behind].filter(([, count]) => count > 0);
  return left.length === 0 ? undefined : left.map(([name, count]) => `${name} ${count}`).join(", ");
}

/**
 * Resolves once all of the senders' messages are accepted and processed: no queue holds a message, and no reader of
 * CASINO_EVENTS is behind. @throws Error that says what is left after `timeout` ms
 */
export async function drained(stack: ChaosStack, load: Load, timeout: number): Promise<void> {
  let left: string | undefined;
  const isDrained = async (): Promise<boolean> => {
    left = load.unsettled > 0 ? `${load.unsettled} messages not accepted` : await backlog(stack.jsm);
    return left === undefined;
  };
  // Twice, because the states of the streams are not from the same instant.
  await waitFor(async () => (await isDrained()) && (await isDrained()), { timeout, interval: 200 }).catch(
    (error) => {
      throw new Error(`not drained after ${timeout / 1000} s: ${left ?? String(error)}`);
    },
  );
}

/**
 * Resolves once every event accepted so far is printed by the logger, stored in Postgres and folded by the materializer. The
 * load may go on meanwhile. @throws Error after `timeout` ms
 */
export async function recovered(stack: ChaosStack, ledger: Ledger, timeout: number): Promise<void> {
  const outstanding = ledger.outstanding();
  const wait = { timeout, interval: 50 };
  await waitFor(() => outstanding.left === 0, { ...wait, what: "the logger to print what was accepted" });
  const printed = ledger.logged;
  const last = await waitFor(
    async () => (await stack.jsm.streams.info("CASINO_EVENTS")).state.last_seq,
    wait,
  );
  const { url } = stack.service("materializer");
  const clients = new Set(ledger.pages.map(({ sender }) => sender.client));
  const folded = async (client: string): Promise<number> => {
    const signal = AbortSignal.timeout(3_000);
    const answer = await fetch(`${url}/materialized?client_id=${client}`, { signal });
    return ((await answer.json()) as { events_total: number }).events_total; // our own answer
  };
  await waitFor(
    async () => {
      const { ack_floor } = await stack.jsm.consumers.info("CASINO_EVENTS", "archiver");
      if (ack_floor.stream_seq < last) return false;
      const totals = await Promise.all([...clients].map(folded));
      return totals.reduce((sum, total) => sum + total, 0) >= printed;
    },
    { ...wait, what: "archiver and materializer to catch up" },
  );
}
