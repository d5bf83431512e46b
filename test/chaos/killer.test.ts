import { AckPolicy } from "@nats-io/jetstream";
import { beforeEach, expect, test } from "vitest";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { bundleMessage } from "../../internal/messages/bundle.ts";
import { defaultLimits, streamsForTest } from "../harness/broker.ts";
import { Killer } from "./killer.ts";

const { nc, jsm } = await streamsForTest();
const publisher = new Publisher(nc);
let sent = 0;

/** Forwards these many events in one message, as a step does. */
const bundle = (stage: string, events: number) =>
  publisher.publish(bundleMessage(stage, Array(events).fill("{}\n"), [], `test:${++sent}`));

beforeEach(() => ensureStreams(nc, ["priced", "profiled"], defaultLimits));

test("counts the bundles that wait and those in a step's hands, but neither single nor acknowledged messages", async () => {
  await jsm.consumers.add("CASINO_PRICED", { durable_name: "player", ack_policy: AckPolicy.Explicit });
  for (const events of [2, 30, 400]) await bundle("priced", events);
  await bundle("profiled", 5_000);
  const single = { subject: "casino.event.priced.casino.bet", payload: Buffer.from("{}") };
  await publisher.publish({ ...single, headers: bundleMessage("priced", [], [], "test:single").headers });
  const player = await jsm.jetstream().consumers.get("CASINO_PRICED", "player");
  await (await player.next())?.ackAck();
  await player.next();

  const killer = new Killer(nc);
  const killed: string[] = [];
  const victim = (name: string) => ({ kill: async () => void killed.push(name) });
  await killer.kill(victim("one"), victim("two"));
  expect(killed).toEqual(["one", "two"]);
  expect(killer.kills).toEqual([{ bundles: 3, events: 5_430 }]);
});

test("kills only when a bundle is under way", async () => {
  const killer = new Killer(nc);
  const killing = killer.kill({ kill: async () => undefined });
  await bundle("profiled", 7);
  await killing;
  expect(killer.kills).toEqual([{ bundles: 1, events: 7 }]);
});

test("kills without a bundle when none comes", async () => {
  const killer = new Killer(nc, 50);
  await killer.kill({ kill: async () => undefined });
  expect(killer.kills).toEqual([{ bundles: 0, events: 0 }]);
});
