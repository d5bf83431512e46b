import { nanos } from "nats";
import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { encodeEvent } from "../casino/encode.ts";
import { ensureDurable } from "../jetstream/durable.ts";
import { retryMessage } from "../messages/retry.ts";
import { retryDurable, retryStream } from "../messages/subjects.ts";
import { type Received, receiverForTest } from "../webhooks/receiver.fixture.ts";
import { waitingDurable } from "./durables.ts";
import { bets, hasAll, idsOf, range, sendersForTest } from "./sender.fixture.ts";

const { addDestination, jsm, nc, outcomes, publish, publisher, startSender, waiting } =
  await sendersForTest();

const playerOf = (call: Received): number => JSON.parse(call.body).data.player_id;
/** 300 bets of ten players, who take turns. */
const many = range(1, 301).flatMap((id) => bets(id, id + 1, { player_id: 1 + (id % 10) }));

test("an ordered destination gets each player's events one after the other; one that fails holds up its player alone", async () => {
  const busy = new Set<number>();
  const overlaps: number[] = [];
  const receiver = await receiverForTest((response) => {
    const call = receiver.received.at(-1);
    const player = call === undefined ? 0 : playerOf(call);
    if (busy.has(player)) overlaps.push(player);
    busy.add(player);
    // Wait for all events except later ones of that player.
    const isRefused =
      call !== undefined && idsOf([call])[0] === 13 && new Set(idsOf(receiver.received)).size < 272;
    setTimeout(() => {
      busy.delete(player);
      response.writeHead(isRefused ? 500 : 204).end();
    }, 2);
  });
  const { id } = await addDestination(receiver.url, { ordered: true });
  // Of two senders only one calls it.
  const plan = Array<number>(200).fill(100);
  startSender({ plan });
  startSender({ plan });
  await publish(many);
  await hasAll(receiver.received, range(1, 301));
  await waitFor(async () => (await outcomes(id)).delivered === 300);
  expect(overlaps).toEqual([]);
  const ids = idsOf(receiver.received);
  const byPlayer = Map.groupBy(ids, (each) => each % 10);
  for (const [player, own] of byPlayer)
    expect(own, `player ${player}`).toEqual(
      range(0, 30)
        .map((n) => n * 10 + (player === 0 ? 10 : player))
        .flatMap((n) => (n === 13 ? ids.filter((id) => id === 13) : [n])),
    );
});

test("the order holds when the sender that had it goes, and another takes over", async () => {
  let isBack = false;
  const receiver = await receiverForTest((response) => {
    const call = receiver.received.at(-1);
    response.writeHead(call !== undefined && idsOf([call])[0] === 3 && !isBack ? 500 : 204).end();
  });
  await addDestination(receiver.url, { ordered: true });
  const first = startSender({ plan: [100, 500, 500, 500, 500] });
  await publish(bets(1, 9, { player_id: 7 }));
  await publish(bets(9, 12, { player_id: 8 }));
  await hasAll(receiver.received, [1, 2, 3, 9, 10, 11]);
  await waitFor(() => idsOf(receiver.received).filter((id) => id === 3).length === 2);
  await first.stop();
  isBack = true;
  startSender({ plan: [100, 500, 500, 500, 500] });
  await publish(bets(12, 15, { player_id: 7 }));
  await hasAll(receiver.received, range(1, 15));
  const own = idsOf(receiver.received).filter((id) => id < 9 || id > 11);
  // The first sender may try it a third time before it stops.
  expect(own.filter((id, index) => id !== own[index - 1])).toEqual([...range(1, 9), 12, 13, 14]);
});

test("a limit of calls holds over all senders", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { rateLimit: 20 });
  const began = performance.now();
  startSender();
  startSender();
  await publish(bets(1, 61));
  await hasAll(receiver.received, range(1, 61));
  await waitFor(async () => (await outcomes(id)).delivered === 60);
  // A burst of one second's calls, then 20 per second.
  expect(performance.now() - began).toBeGreaterThan(1_900);
});

test("what the broker holds, but would never deliver, comes again, and holds up its player no longer", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { ordered: true });
  const [forgotten] = bets(1, 2, { player_id: 7 });
  if (forgotten === undefined) throw new Error("no event");
  await publisher.publish(
    retryMessage({
      ...{
        destination: id,
        key: { client: "casino", source: "test", id: 1 },
        payload: encodeEvent(forgotten),
      },
      ...{ subject: "casino.event.final.casino.bet", sequence: 1, attempts: 1, due: 0, origin: "log" },
      ...{ error: undefined, identity: {} },
    }),
  );
  // As after a kill of nats-server 2.9: the consumer has acknowledged the message, and the stream still holds it.
  await ensureDurable(nc, waitingDurable(id));
  await jsm.consumers.update(retryStream, retryDurable(id), { max_deliver: 1, ack_wait: nanos(50) });
  const consumer = await jsm.jetstream().consumers.get(retryStream, retryDurable(id));
  await waitFor(async () => {
    await consumer.next({ expires: 1_000 });
    const { num_pending, num_ack_pending } = await consumer.info();
    return num_pending + num_ack_pending === 0;
  });
  expect(await waiting()).toBe(1);
  startSender();
  await publish(bets(2, 5, { player_id: 7 }));
  await hasAll(receiver.received, range(1, 5));
  await waitFor(async () => (await waiting()) === 0);
});

test("an event that came again after its delivery, and waits nowhere, holds up nobody", async () => {
  let isBack = false;
  const receiver = await receiverForTest((response) => {
    const call = receiver.received.at(-1);
    response.writeHead(call !== undefined && idsOf([call])[0] === 2 && !isBack ? 500 : 204).end();
  });
  const { id } = await addDestination(receiver.url, { ordered: true });
  startSender({ plan: Array<number>(200).fill(100) });
  // It waited behind another one, and was delivered.
  const [again] = bets(1, 2, { player_id: 7 });
  if (again === undefined) throw new Error("no event");
  await publisher.publish(
    retryMessage({
      ...{ destination: id, key: { client: "casino", source: "test", id: 1 }, payload: encodeEvent(again) },
      ...{ subject: "casino.event.final.casino.bet", sequence: 1, attempts: 0, due: 0, origin: "log" },
      ...{ error: undefined, identity: {} },
    }),
  );
  await hasAll(receiver.received, [1]);
  await waitFor(async () => (await waiting()) === 0);
  await publish(bets(2, 3, { player_id: 7 }));
  await hasAll(receiver.received, [2]);
  // The log delivers it again, as after an acknowledgement that was lost, while another one of its player waits.
  await publish([again]);
  await waitFor(async () => {
    const { num_pending, num_ack_pending } = await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`);
    return num_pending + num_ack_pending === 0;
  });
  await publish(bets(3, 4, { player_id: 7 }));
  isBack = true;
  await hasAll(receiver.received, [3], 15_000);
});

test("a destination waits for nothing that the log dropped before it was made, however much that was", async () => {
  // As a log that has stored two million events, of which the last is older than its limit.
  await jsm.streams.purge("CASINO_EVENTS", { seq: 2_000_000 });
  expect((await jsm.streams.info("CASINO_EVENTS")).state).toMatchObject({ messages: 0, last_seq: 1_999_999 });
  const receiver = await receiverForTest();
  await addDestination(receiver.url, { ordered: true });
  startSender({ everyMs: 1_000 });
  await publish(bets(1, 2));
  await hasAll(receiver.received, [1]);
});
