import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StepRun } from "../internal/actor/step-run.ts";
import { Archiver } from "../internal/archive/archiver.ts";
import { decoder } from "../internal/enrichment/decoding.ts";
import { pipeline, stations } from "../internal/enrichment/pipeline.ts";
import { databaseOfFile, gatewayForTest, keyFor, noteTypes } from "../internal/gateway/gateway.fixture.ts";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { ensureStreams } from "../internal/jetstream/topology.ts";
import { OutgoingHeaders } from "../internal/jetstream/wire-headers.ts";
import { postgresPlayers } from "../internal/players/players.ts";
import { Sender } from "../internal/sender/sender.ts";
import { networks } from "../internal/service/config-values.ts";
import { Traces } from "../internal/telemetry/open-telemetry.ts";
import { Deliverer } from "../internal/webhooks/deliver.ts";
import { defaultSettings } from "../internal/webhooks/destination.ts";
import { Destinations } from "../internal/webhooks/destinations.ts";
import { receiverForTest } from "../internal/webhooks/receiver.fixture.ts";
import { SecretBox } from "../internal/webhooks/secret-box.ts";
import { brokerForTest, defaultLimits, silent, workerForTest } from "./harness/broker.ts";
import { type CollectedSpan, collectorForTest } from "./harness/collector.ts";
import { waitFor } from "./harness/wait-for.ts";

// All that an event passes, in this process: each service with traces of its own, sent to a real collector.

const { server, nc, jsm } = await brokerForTest();
const db = await databaseOfFile();
const key = await keyFor(db, "till");
const collector = await collectorForTest();
const publisher = new Publisher(nc);
const opened: Traces[] = [];
const traces = (service: string, sampler = "parentbased_always_on"): Traces => {
  const one = new Traces({ service, sampler, share: 0, endpoint: collector.url, delayMs: 20, log: silent });
  opened.push(one);
  return one;
};
const worker = workerForTest();
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const steps = pipeline({
    rates: { current: () => Promise.reject(new Error("all events are of euros")) },
    players: postgresPlayers(db),
    games: { titleOf: () => undefined },
  });
  const stages = [...stations(steps).map(({ takesFrom }) => takesFrom), "apart", "final", "retry"];
  await ensureStreams(nc, stages, defaultLimits);
  const enricher = traces("enricher");
  for (const { step, takesFrom } of stations(steps)) {
    const decode = decoder(takesFrom, { types: noteTypes, maxAheadMs: Number.POSITIVE_INFINITY });
    const trace = enricher.hop(step.name);
    const run = { step, takesFrom, decode, nc, publisher, worker, replicas: 1, log: silent, trace };
    const started = await StepRun.start(run);
    closing.push(() => started.stop());
  }
  const archiver = await Archiver.start({
    nc,
    db,
    publisher,
    log: silent,
    trace: traces("archiver").hop("archiver"),
  });
  closing.push(() => archiver.stop());
  const deliverer = new Deliverer({ allow: networks("127.0.0.0/8") });
  const senderTraces = traces("sender");
  const sender = Sender.start({
    ...{ nc, db, publisher, deliverer, log: silent },
    destinations: new Destinations(db, new SecretBox([Buffer.alloc(32)])),
    plan: [40],
    disableAfterMs: 3_600_000,
    instance: "test",
    everyMs: 50,
    trace: (consumer) => senderTraces.hop(consumer),
  });
  closing.push(
    () => sender.stop(),
    () => deliverer.close(),
  );
});
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  await Promise.all(opened.map((one) => one.close()));
  publisher.close();
});

const bet = (id: number) => ({
  ...{ id, type: "bet", player_id: 10, game_id: 100, amount: 5, currency: "EUR" },
  created_at: "2022-01-10T12:34:56Z",
});

async function post(body: unknown, headers: Record<string, string> = {}): Promise<void> {
  const { app } = await gatewayForTest(server, db, { trace: traces("gateway") });
  const payload = JSON.stringify(body);
  const sent = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
  // Listening, unlike `inject`: the answer is to be closed as browsers have it.
  const origin = await app.listen({ port: 0, host: "127.0.0.1" });
  const answer = await fetch(`${origin}/events`, { method: "POST", headers: sent, body: payload });
  expect(answer.status).toBe(202);
}

/** Resolves with the spans of a trace once there are so many. */
const spansOf = (traceId: string, count: number): Promise<readonly CollectedSpan[]> =>
  waitFor(
    () => {
      const found = collector.spans.filter((span) => span.traceId === traceId);
      return found.length >= count && found;
    },
    { what: `${count} spans of one trace` },
  );

/** From the last hop to the first, by parents: names. */
function wayTo(span: CollectedSpan, all: readonly CollectedSpan[]): readonly string[] {
  const parent = all.find(({ spanId }) => spanId === span.parent);
  return [`${span.service} ${span.name}`, ...(parent === undefined ? [] : wayTo(parent, all))];
}

const way = [
  "croupier-enricher process casino.event.profiled.{client}.{type}",
  "croupier-enricher process casino.event.priced.{client}.{type}",
  "croupier-enricher process casino.event.raw.{client}",
  "croupier-gateway send casino.event.raw.{client}",
  "croupier-gateway POST /events",
];
const ends = ["archiver", "sender"].map(
  (service) => `croupier-${service} process casino.event.final.{client}.{type}`,
);
const byName = (service: string, all: readonly CollectedSpan[]) =>
  all.filter((span) => span.service === `croupier-${service}`);

describe("a trace", () => {
  test("has every hop of an event, each the child of the one before, to archive and delivery", async () => {
    const receiver = await receiverForTest();
    await new Destinations(db, new SecretBox([Buffer.alloc(32)])).create("casino", {
      ...defaultSettings,
      url: receiver.url,
    });
    await waitFor(async () => (await jsm.streams.info("CASINO_EVENTS")).state.consumer_count >= 2);
    const [traceId, client] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    await post(bet(1), { traceparent: `00-${traceId}-${client}-01` });
    const spans = await spansOf(traceId, 7);
    expect(spans).toHaveLength(7);
    const last = [...byName("archiver", spans), ...byName("sender", spans)];
    expect(last.map((span) => wayTo(span, spans))).toEqual(ends.map((end) => [end, ...way]));
    expect(spans.find(({ kind }) => kind === 2)?.parent).toBe(client);
    expect(spans.map(({ kind }) => kind).sort()).toEqual([2, 4, 5, 5, 5, 5, 5]);
    expect(byName("sender", spans)[0]?.attributes).toMatchObject({
      "messaging.system": "nats",
      "messaging.destination.name": "casino.event.final.casino.bet",
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": expect.stringMatching(/^sender_/),
      "messaging.message.id": "CASINO_EVENTS:1",
      "croupier.outcome": "delivered",
      "http.response.status_code": 204,
    });
    expect(receiver.received[0]?.headers).not.toHaveProperty("traceparent");
  });

  test("has a span for each event of an array at each hop, through bundles, and one for the bundle that links to them", async () => {
    const traceId = "1af7651916cd43dd8448eb211c80319c";
    await post([bet(11), bet(12), bet(13)], { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    const isDone = (spans: readonly CollectedSpan[]) =>
      ["archiver", "sender"].every((service) => byName(service, spans).length >= 3);
    const spans = await waitFor(() => {
      const found = collector.spans.filter((span) => span.traceId === traceId);
      return isDone(found) && found.filter(({ name }) => name.includes("profiled")).length >= 4 && found;
    });
    const inBundles = way.map((hop) => hop.replace(/(priced|profiled)\.\{client\}\.\{type\}/, "$1._.bundle"));
    const archived = byName("archiver", spans).filter(({ name }) => !name.includes("batch"));
    expect(archived.map((span) => wayTo(span, spans))).toEqual([1, 2, 3].map(() => [ends[0], ...inBundles]));
    const parents = new Set(archived.map(({ parent }) => parent));
    expect(parents.size).toBe(3);
    for (const stage of ["raw.{client}", "priced._.bundle", "profiled._.bundle"]) {
      const events = spans.filter(({ name }) => name === `process casino.event.${stage}`);
      const [bundle] = spans.filter(({ name }) => name === `process batch casino.event.${stage}`);
      expect(bundle?.attributes["messaging.batch.message_count"]).toBe(3);
      expect(bundle?.links.toSorted()).toEqual(events.map(({ spanId }) => spanId).sort());
      for (const { links } of events) expect(links).toEqual([bundle?.spanId]);
    }
  });

  test("is not made of what its producer does not sample, which passes unchanged", async () => {
    const traceId = "2af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-00`;
    await post(bet(21), { traceparent });
    const final = await waitFor(async () => {
      const message = await jsm.streams.getMessage("CASINO_EVENTS", {
        last_by_subj: "casino.event.final.casino.bet",
      });
      return message?.string().includes('"id":21,') && message;
    });
    expect(final.header.get("traceparent")).toBe(traceparent);
    expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  test("begins at the first step where a producer brings none, and says why an event is set aside", async () => {
    const before = new Set(collector.spans.map(({ traceId }) => traceId));
    await publisher.publish({
      subject: "casino.event.raw.casino",
      payload: "{}",
      headers: new OutgoingHeaders(),
    });
    const refused = await waitFor(() =>
      collector.spans.find(({ traceId, name }) => !before.has(traceId) && name.startsWith("process")),
    );
    expect(refused.attributes).toMatchObject({
      "croupier.outcome": "dead_letter",
      "error.type": "invalid_event",
    });
    expect(wayTo(refused, await spansOf(refused.traceId, 2))).toEqual([
      "croupier-enricher process casino.event.raw.{client}",
      "croupier-enricher receive casino.event.raw.{client}",
    ]);
  });
});
