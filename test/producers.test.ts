import { type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { ensureStreams } from "../internal/jetstream/topology.ts";
import type { NatsRole } from "../internal/local/nats-users.ts";
import { rawStage } from "../internal/messages/subjects.ts";
import { connectForTest, defaultLimits } from "./harness/broker.ts";
import { lockedNatsForTest, natsVersions } from "./harness/locked-broker.ts";
import { waitFor } from "./harness/wait-for.ts";

// A producer chooses the reply subject of its event, and the server delivers the PubAck there whoever may publish to it.

const stages = [rawStage, "priced", "final"];
/** What lies in the streams beforehand, all of it other clients'. */
const stored = [
  "casino.event.final.lucky.bet",
  "casino.event.priced.lucky.bet",
  "casino.dead.currency.lucky",
];

/** Where somebody could do harm with a PubAck, each on a subject that the streams or the server listen to. */
const targets = [
  ...["CASINO_RAW", "CASINO_PRICED", "CASINO_EVENTS", "CASINO_DEAD", "CASINO_LEDGER"].flatMap((stream) => [
    `$JS.API.STREAM.PURGE.${stream}`,
    `$JS.API.STREAM.DELETE.${stream}`,
    `$JS.API.STREAM.MSG.DELETE.${stream}`,
  ]),
  ...stored,
  "casino.event.raw.lucky",
  "casino.event.raw.casino",
  "casino.ledger.discarded.currency",
  "casino.materialized",
  "$KV.casino_rates.EUR",
  "$SYS.REQ.SERVER.PING",
  "_INBOX_gateway.guessed.1",
];

async function counts(jsm: JetStreamManager): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const { config, state } of jsm.streams.list())
    if (config.name !== "CASINO_RAW") found[config.name] = state.messages;
  return found;
}

describe.each(await natsVersions())("on nats-server $version", async ({ binary }) => {
  const broker = await lockedNatsForTest("inspector", { binary });
  const { nc: operator, jsm } = await connectForTest(broker.server, broker.credentials("operator"));
  await ensureStreams(operator, stages, defaultLimits);
  await jsm.streams.add({ name: "KV_casino_rates", subjects: ["$KV.casino_rates.>"] });

  const as = async (role: NatsRole, inboxPrefix = "_INBOX"): Promise<NatsConnection> => {
    const nc = await connect({ servers: broker.server.url, inboxPrefix, ...broker.credentials(role) });
    onTestFinished(() => nc.close());
    return nc;
  };

  test.each([
    ["producer-casino", "_INBOX"],
    ["generator", "_INBOX_generator"],
  ] as const)("a PubAck of %s can be aimed at nothing outside its account", async (role, inboxPrefix) => {
    for (const subject of stored) await operator.request(subject, "{}");
    const before = await counts(jsm);
    const { last_seq: first } = (await jsm.streams.info("CASINO_RAW")).state;
    const heard: string[] = [];
    for (const subject of ["_INBOX_gateway.>", "casino.materialized", "$KV.>"])
      operator.subscribe(subject, { callback: (_err, message) => void heard.push(message.subject) });
    await operator.flush();

    const nc = await as(role, inboxPrefix);
    for (const reply of targets) nc.publish("casino.event.raw.casino", "{}", { reply });
    // Answered after all of them.
    await nc.request("casino.event.raw.casino", "{}");
    const { last_seq: last } = (await jsm.streams.info("CASINO_RAW")).state;
    expect(last - first).toBe(targets.length + 1);
    expect(await counts(jsm)).toEqual(before);
    expect(heard).toEqual([]);
  });

  test("from within the services' account the same would reach them", async () => {
    const before = await counts(jsm);
    const gateway = await as("gateway", "_INBOX_gateway");
    gateway.publish("casino.event.raw.casino", "{}", { reply: "casino.dead.currency.lucky" });
    await waitFor(async () => (await counts(jsm)).CASINO_DEAD === (before.CASINO_DEAD ?? 0) + 1);
  });

  test("PubAcks, refusals and headers pass between the accounts unchanged", async () => {
    const nc = await as("producer-casino");
    const js = jetstream(nc);
    const source = headers();
    source.set("Casino-Source", "till-1");
    const { seq, stream } = await js.publish("casino.event.raw.casino", '{"id":1}', { headers: source });
    expect(stream).toBe("CASINO_RAW");
    const kept = await jsm.streams.getMessage("CASINO_RAW", { seq });
    expect([kept?.string(), kept?.header.get("Casino-Source")]).toEqual(['{"id":1}', "till-1"]);
    const expected = { streamName: "ANOTHER" };
    await expect(js.publish("casino.event.raw.casino", "{}", { expect: expected })).rejects.toThrow(
      /expected stream/,
    );
    await expect(js.publish("casino.event.raw.casino", Buffer.alloc(960 * 1024 + 1))).rejects.toThrow(
      /size exceeds/,
    );
  });
});
