import { expect, onTestFinished, test } from "vitest";
import { brokerForTest, silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { announce } from "./announce.ts";
import { decodeStatus, type Status } from "./status.ts";
import { StatusPublisher } from "./status-publisher.ts";
import { WorkMeter } from "./work-meter.ts";

const { server, nc } = await brokerForTest();

/** All statuses from now on, newest last. */
async function listen(): Promise<readonly Status[]> {
  const heard: Status[] = [];
  const subscription = nc.subscribe("croupier.status.>", {
    callback: (_err, { data, subject }) => {
      const status = decodeStatus(data);
      if (status === undefined) throw new Error(`no status: ${Buffer.from(data)}`);
      expect(subject).toBe(`croupier.status.${status.service}.${status.instance}`);
      heard.push(status);
    },
  });
  onTestFinished(() => subscription.unsubscribe());
  await nc.flush();
  return heard;
}

const mailbox = { stream: "CASINO_RAW", name: "currency", filter: "casino.event.raw.*" };
function announced(work = new WorkMeter("currency", mailbox), problem?: () => string | undefined): void {
  const checks = { nats: () => undefined, rates: () => problem?.() };
  const options = { nc, service: "enricher", works: [work], log: silent };
  onTestFinished(announce({ ...options, checks, warnings: () => ["Look at the disk."] }));
}

test("a service says how it is and how its work goes", async () => {
  const heard = await listen();
  const work = new WorkMeter("currency", mailbox);
  let problem: string | undefined = "the rates API is away";
  announced(work, () => problem);
  await waitFor(() => heard.some(({ ready }) => !ready));
  expect(heard[0]).toMatchObject({
    service: "enricher",
    pid: process.pid,
    ready: false,
    problems: ["rates: the rates API is away"],
    warnings: ["Look at the disk."],
    work: { currency: { events: 0, rate: 0, p50_ms: null, bundle_mean: null } },
  });

  work.opened(() => 7);
  const delivery = { events: 4, movedOut: 1, isRedelivered: true, receivedAt: 0 };
  work.received(delivery);
  work.settled(delivery);
  work.returned();
  work.setAside("invalid_event");
  problem = undefined;
  await waitFor(() => heard.at(-1)?.ready === true);
  const last = heard.at(-1);
  expect(last?.problems).toEqual([]);
  expect(last?.memory.rss).toBeGreaterThan(2 ** 20);
  expect(last?.work.currency).toMatchObject({
    events: 3,
    messages: 1,
    bundle_mean: 3,
    in_flight: 7,
    redelivered: 1,
    retried: 1,
    dead_letters: 1,
    dead_letters_by_reason: { invalid_event: 1 },
  });
  expect(last?.work.currency?.rate).toBeGreaterThan(0);
  expect(last?.work.currency?.p99_ms).toBeGreaterThan(0);
});

test("it says nothing while NATS is away, and goes on afterwards", async () => {
  const heard = await listen();
  let looks = 0;
  const checks = { nats: () => void looks++ };
  const options = { nc, service: "logger", instance: "one", version: "1.0.0", works: [] };
  const publisher = new StatusPublisher({ ...options, checks, everyMs: 20 });
  onTestFinished(() => publisher.close());
  await waitFor(() => heard.length > 0);
  const away = (async () => {
    for await (const { type } of nc.status()) if (type === "disconnect") return;
  })();
  await server.kill();
  await away;
  const [published, before] = [nc.stats().outMsgs, looks];
  await waitFor(() => looks > before + 3);
  expect(nc.stats().outMsgs).toBe(published);
  await server.start();
  const back = new Date().toISOString();
  await waitFor(() => (heard.at(-1)?.at ?? "") > back);
});

test("it is a NATS service, whose endpoints are its works", async () => {
  const work = new WorkMeter("currency", mailbox);
  announced(work);
  work.done(10);
  work.setAside("invalid_json");
  const ask = async (what: string) => (await nc.request(`$SRV.${what}`)).json<Record<string, unknown>>();
  const { id } = await ask("PING");
  expect(await ask("PING.casino-enricher")).toMatchObject({ name: "casino-enricher", id });
  expect(await ask(`INFO.casino-enricher.${id}`)).toMatchObject({
    endpoints: [{ name: "currency", subject: "casino.event.raw.*", queue_group: "currency" }],
  });
  expect(await ask("STATS")).toMatchObject({ endpoints: [{ num_requests: 10, num_errors: 1 }] });
});

test("it cannot be made to publish where its answer would do harm", async () => {
  announced();
  const heard: string[] = [];
  nc.subscribe("*.>", { callback: (_err, { subject }) => void heard.push(subject) });
  await nc.flush();
  for (const reply of ["$JS.API.CONSUMER.DELETE.CASINO_RAW.currency", "casino.event.raw.acme"])
    nc.publish("$SRV.PING", "", { reply });
  // Requests are answered in order, so any answer to the others would have arrived by now.
  await nc.request("$SRV.PING");
  expect(heard.filter((subject) => /^(\$JS|casino)/.test(subject))).toEqual([]);
});
