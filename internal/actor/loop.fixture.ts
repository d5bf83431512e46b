import { afterEach } from "vitest";
import {
  defaultLimits,
  rawSender,
  silent,
  streamsForTest,
  workerForTest,
} from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { idsIn } from "../messages/bundle.fixture.ts";
import { bytesOf } from "../messages/enclosed.ts";
import type { StepMeter } from "./loop.ts";
import type { Decode } from "./open.ts";
import { forward, type Outcome, type Step } from "./step.ts";
import { StepRun } from "./step-run.ts";

export const passOn: Step["enrich"] = async (batch) => batch.map(({ event }) => forward(event));
/** Gives each event the outcome that `outcome` returns, and passes the rest on. */
export const each =
  (outcome: (id: number) => Outcome | undefined): Step["enrich"] =>
  async (batch) =>
    batch.map(({ event }) => outcome(event.id) ?? forward(event));

export const raw = (id: number) =>
  `{"id":${id},"type":"game_start","player_id":10,"game_id":100,"created_at":"2022-01-10T12:34:56Z"}`;

/** A broker and runs of a step for one test file. Each test starts with fresh streams. */
export async function loopForTest() {
  const { server, nc, jsm } = await streamsForTest();
  const publisher = new Publisher(nc);
  const worker = workerForTest();
  const runs: StepRun[] = [];

  afterEach(async () => {
    await Promise.all(runs.splice(0).map((run) => run.stop()));
  });

  /** Runs a step on fresh streams, which the test need not stop. */
  async function start(
    enrich: Step["enrich"],
    decode: Decode = (event) => decodeRaw(bytesOf(event)),
    forwardsTo = "tested",
    takesFrom = "raw",
    meter?: StepMeter,
  ): Promise<StepRun> {
    await ensureStreams(nc, [takesFrom, "apart", forwardsTo], defaultLimits);
    const step: Step = { name: "test", forwardsTo, enrich };
    const run = await StepRun.start({
      step,
      takesFrom,
      decode,
      nc,
      publisher,
      worker,
      replicas: 1,
      log: silent,
      ...(meter === undefined ? {} : { meter }),
      lookForStuckEveryMs: 1_000,
    });
    runs.push(run);
    return run;
  }

  const send = rawSender(publisher);

  /** Everything in a stream, in order: subject, payload and headers. */
  async function stored(stream: string) {
    const { state } = await jsm.streams.info(stream);
    const messages: { subject: string; text: string; headers: Record<string, string> }[] = [];
    if (state.messages === 0) return messages;
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await jsm.streams.getMessage(stream, { seq });
      if (message !== null)
        messages.push({
          subject: message.subject,
          text: message.string(),
          headers: Object.fromEntries([...message.header].map(([name, values]) => [name, values.join()])),
        });
    }
    return messages;
  }

  const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;

  /** How many events a stream of a stage holds. */
  const countEvents = async (stream: string) => idsIn(await stored(stream)).length;
  /** Waits until the mailbox is empty, then returns what was forwarded and what was set aside. */
  async function settled() {
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    return { forwarded: await stored("CASINO_TESTED"), dead: await stored("CASINO_DEAD") };
  }
  return { server, nc, jsm, publisher, start, send, stored, count, countEvents, settled };
}
