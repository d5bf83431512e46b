import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { lockTable } from "../../test/harness/locked-table.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { ByteBudget } from "./byte-budget.ts";
import { addDestinations } from "./destination-metrics.ts";
import { keptForMs } from "./places.ts";
import { bets, hasAll, idsOf, range, sendersForTest } from "./sender.fixture.ts";

const {
  addDestination,
  db,
  destinations,
  jsm,
  letters,
  nc,
  outcomes,
  publish,
  publishBets,
  server,
  startSender,
  waiting,
} = await sendersForTest();

test("every final event of a client comes to its destination, from the destination's creation on", async () => {
  await publishBets(1, 3);
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  startSender();
  await publish([...bets(3, 50), ...bets(50, 52)], "casino");
  await publish(bets(60, 62), "other");
  await hasAll(receiver.received, range(3, 52));
  await waitFor(async () => (await outcomes(destination.id)).delivered === 49);
  expect(idsOf(receiver.received).toSorted((a, b) => a - b)).toEqual(range(3, 52));
});

test("a sender that starts after the broker was killed goes on where the one before was", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url);
  const before = startSender();
  await publishBets(1, 11);
  await waitFor(async () => (await outcomes(id)).delivered === 10);
  await before.stop();
  await server.kill();
  await server.start();
  startSender();
  await waitFor(() => publishBets(11, 21).then(() => true));
  await hasAll(receiver.received, range(1, 21));
});

test("of receivers that hang, fail, ask for patience and cut connections none holds up the others", async () => {
  const healthy = await Promise.all(Array.from({ length: 16 }, () => receiverForTest()));
  const hanging: ServerResponse[] = [];
  let isOver = false;
  const hangs = await receiverForTest((response) => {
    if (isOver) response.destroy();
    else hanging.push(response);
  });
  const fails = await receiverForTest((response) => response.writeHead(500).end());
  let refused = 0;
  const patient = await receiverForTest((response) => {
    if (++refused > 2) response.writeHead(204).end();
    else response.writeHead(429, { "retry-after": "1" }).end();
  });
  const cuts = await receiverForTest((response) => response.destroy());
  for (const { url } of [hangs, ...healthy, fails, cuts]) await addDestination(url);
  const late = await addDestination(patient.url);
  startSender({ calls: { timeoutMs: 120_000 } });
  await publishBets(1, 51);
  await Promise.all(healthy.map(({ received }) => hasAll(received, range(1, 51))));
  // The hanging receiver has the initial number of calls in flight.
  await waitFor(() => hanging.length === 4);
  await hasAll(patient.received, range(1, 51));
  await waitFor(async () => (await outcomes(late.id)).delivered === 50);
  // Four attempts for each event alone would be 200.
  expect(fails.received.length).toBeLessThan(100);
  expect(cuts.received.length).toBeLessThan(100);
  // Otherwise the stop would wait for its calls.
  isOver = true;
  for (const response of hanging) response.destroy();
});

test("what all destinations hold together has a limit, and those that hang keep nobody from theirs", async () => {
  const hanging: ServerResponse[] = [];
  const hang = (response: ServerResponse) => void hanging.push(response);
  const hangs = await Promise.all(Array.from({ length: 8 }, () => receiverForTest(hang)));
  const healthy = await receiverForTest();
  for (const { url } of [...hangs, healthy]) await addDestination(url, { batch: 100 });
  const most = 256 * 1024;
  const bytes = new ByteBudget(most);
  startSender({ bytes, calls: { timeoutMs: 120_000 } });
  await waitFor(async () => (await jsm.consumers.list("CASINO_EVENTS").next()).length === 9);
  let held = 0;
  for (let from = 1; from < 1_000; from += 100) {
    await publishBets(from, from + 100, { description: "x".repeat(1_000) });
    held = Math.max(held, bytes.held);
  }
  await hasAll(healthy.received, range(1, 1_001));
  held = Math.max(held, bytes.held);
  // Without a limit the eight would hold some 1.3 MB each. What was asked for before comes beyond it: 64 messages by each of two requests.
  expect(held).toBeGreaterThan(most / 2);
  expect(held).toBeLessThan(2 * most + 9 * 2 * 64 * 1_300);
  for (const response of hanging) response.destroy();
});

test("what fails waits apart for its plan, and is set aside when that is over", async () => {
  const receiver = await receiverForTest((response) => response.writeHead(500).end("no"));
  const destination = await addDestination(receiver.url);
  startSender();
  await publishBets(1, 3);
  await waitFor(async () => (await letters()) === 2);
  await waitFor(async () => (await waiting()) === 0);
  await waitFor(async () => (await outcomes(destination.id)).set_aside === 2);
  expect(await outcomes(destination.id)).toEqual({ failed: 6, set_aside: 2 });
  const letter = await jsm.streams.getMessage("CASINO_DEAD", { seq: 1 });
  expect(letter?.subject).toBe(`casino.dead.sender_${destination.id}.casino`);
  expect(letter?.header.get("Casino-Dead-Reason")).toBe("delivery_failed");
  expect(letter?.header.get("Casino-Dead-Subject")).toBe("casino.event.final.casino.bet");
  expect(letter?.header.get("Casino-Dead-Error")).toBe("After 4 attempts: It answered 500.");
  expect(letter?.header.get("Casino-Accepted")).toMatch(/^[12] 1700000000000$/);
});

test("one event that a receiver refuses holds up no other, and in a batch fails none again", async () => {
  const refusing = await receiverForTest();
  const receiver = await receiverForTest((response) => {
    const last = receiver.received.at(-1);
    response.writeHead(last !== undefined && idsOf([last]).includes(7) ? 422 : 204).end();
  });
  const destination = await addDestination(receiver.url, { batch: 20 });
  startSender();
  await publishBets(1, 101);
  await waitFor(async () => (await letters()) === 1);
  await waitFor(async () => (await outcomes(destination.id)).delivered === 99);
  expect(refusing.received).toEqual([]);
  expect(receiver.received.length).toBeLessThan(50);
});

test("changes of destinations are followed: new ones, types, disabling, enabling, removal", async () => {
  startSender();
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { types: ["deposit"] });
  await publishBets(1, 3);
  await publishBets(3, 4, { type: "deposit" });
  await hasAll(receiver.received, [3]);
  await destinations.update(id, undefined, { types: null });
  let bet = 100;
  await waitFor(async () => {
    await publishBets(bet, ++bet);
    return idsOf(receiver.received).length > 1;
  });
  await destinations.update(id, undefined, { enabled: false });
  await waitFor(async () => (await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`)).num_waiting === 0);
  await publishBets(5, 10);
  expect(idsOf(receiver.received)).not.toContain(5);
  await destinations.update(id, undefined, { enabled: true });
  await hasAll(receiver.received, range(5, 10));
  await destinations.remove(id, undefined);
  for (const stream of ["CASINO_EVENTS", "CASINO_RETRY"])
    await waitFor(async () => (await jsm.consumers.list(stream).next()).length === 0);
});

test("a receiver that is gone, and one that failed for too long, is disabled, and the operator told", async () => {
  const told: unknown[] = [];
  nc.subscribe("casino.operator.>", { callback: (_err, msg) => void told.push([msg.subject, msg.json()]) });
  const gone = await addDestination((await receiverForTest((response) => response.writeHead(410).end())).url);
  const metrics = new Metrics(silent);
  const sender = startSender({ disableAfterMs: 100 });
  addDestinations(metrics, sender, nc);
  await publishBets(1, 4);
  await waitFor(async () => (await destinations.find(gone.id, undefined))?.enabled === false);
  expect((await destinations.find(gone.id, undefined))?.disabledReason).toMatch(/answered 410/);
  const failing = await addDestination(
    (await receiverForTest((response) => response.writeHead(500).end())).url,
  );
  await publishBets(4, 20);
  await waitFor(async () => (await destinations.find(failing.id, undefined))?.enabled === false);
  await waitFor(() => told.length === 2);
  expect(told).toEqual([
    [
      "casino.operator.destination_disabled",
      expect.objectContaining({ destination: gone.id, client_id: "casino" }),
    ],
    ["casino.operator.destination_disabled", expect.objectContaining({ destination: failing.id })],
  ]);
  const disabled = [gone, failing].map(
    ({ id }) => `croupier_destination_disabled{destination="${id}",client="casino"} 1`,
  );
  await waitFor(async () => {
    const text = await metrics.text();
    return disabled.every((line) => text.includes(line));
  });
  for (const { id } of [gone, failing])
    expect(sender.warnings).toContainEqual(
      expect.stringContaining(`Destination ${id} of casino is disabled: `),
    );
  // Its events stay where they are.
  expect(await metrics.text()).toMatch(
    new RegExp(
      `^croupier_destination_waiting_messages\\{destination="${gone.id}",client="casino"\\} 19$`,
      "m",
    ),
  );
  expect((await jsm.consumers.info("CASINO_EVENTS", `sender_${gone.id}`)).ack_floor.stream_seq).toBe(0);
});

test("what a gone receiver refused comes to it when it is enabled again, before any sender has seen that it was not", async () => {
  let isGone = true;
  const receiver = await receiverForTest((response) => response.writeHead(isGone ? 410 : 204).end());
  const { id } = await addDestination(receiver.url);
  startSender({ everyMs: 30_000 });
  await publishBets(1, 4);
  await waitFor(async () => (await destinations.find(id, undefined))?.enabled === false);
  isGone = false;
  await destinations.update(id, undefined, { enabled: true });
  await hasAll(receiver.received, range(1, 4));
  await waitFor(async () => (await outcomes(id)).delivered === 3, { timeout: 10_000 });
});

test("a sender whose Postgres hangs gives its destinations up in time, and has them again afterwards", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { ordered: true });
  const sender = startSender();
  await publishBets(1, 3);
  await hasAll(receiver.received, [1, 2]);
  const isCalled = async () => (await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`)).num_waiting > 0;
  await waitFor(isCalled);
  const unlock = await lockTable(db, "destinations");
  try {
    // Before the server itself ends the statement.
    expect(await waitFor(() => sender.problem)).toContain("does not answer in time");
    await waitFor(async () => !(await isCalled()));
  } finally {
    await unlock();
  }
  await publishBets(3, 5);
  await hasAll(receiver.received, [3, 4]);
});

test("calls in flight end before another sender may call the destination", async () => {
  let cutAt = 0;
  const receiver = await receiverForTest((response) => {
    response.on("close", () => {
      cutAt = performance.now();
    });
  });
  await addDestination(receiver.url, { ordered: true });
  startSender();
  await publishBets(1, 2);
  await waitFor(() => receiver.received.length === 1);
  const unlock = await lockTable(db, "destinations");
  const lockedAt = performance.now();
  try {
    await waitFor(() => cutAt > 0);
    expect(cutAt - lockedAt).toBeLessThan(keptForMs);
  } finally {
    await unlock();
  }
});
