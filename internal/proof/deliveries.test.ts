import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Archiver } from "../archive/archiver.ts";
import { sendersForTest } from "../sender/sender.fixture.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { deliveryCheck } from "./deliveries.ts";

const { addDestination, db, destinations, jsm, nc, outcomes, publishBets, publisher, startSender, waiting } =
  await sendersForTest();

const check = () => deliveryCheck({ nc, db, retentionMs: 86_400_000, most: 10 });

test("what destinations were to get is accounted for: delivered, waiting or set aside; what is gone is named", async () => {
  expect(await check()).toMatchObject({ verdict: "holds", sentence: "There are no destinations." });
  const healthy = await addDestination((await receiverForTest()).url, { types: ["bet"] });
  const failing = await addDestination(
    (await receiverForTest((response) => response.writeHead(500).end())).url,
    { types: ["bet"] },
  );
  const archiver = await Archiver.start({ nc, db, publisher, log: silent });
  startSender({ plan: [60_000, 60_000] });
  await publishBets(1, 5);
  await publishBets(5, 7, { type: "deposit" });
  await waitFor(async () => (await outcomes(healthy.id)).delivered === 4);
  await waitFor(async () => (await outcomes(failing.id)).failed === 4);
  await waitFor(async () => (await waiting()) === 4);
  const floor = async (id: string) =>
    (await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`)).ack_floor.stream_seq;
  await waitFor(async () => (await floor(healthy.id)) === 6 && (await floor(failing.id)) === 6);
  await waitFor(async () => (await floor(healthy.id)) === 6);
  await archiver.stop();
  expect(await check()).toMatchObject({ verdict: "holds", count: 0 });

  await db
    .deleteFrom("deliveries")
    .where("destination_id", "=", healthy.id)
    .where("event_id", "=", "2")
    .execute();
  const { state } = await jsm.streams.info("CASINO_RETRY");
  const message = await jsm.streams.getMessage("CASINO_RETRY", { seq: state.first_seq });
  const [, , , id] = (message?.header.get("Nats-Msg-Id") ?? "").split(":");
  await jsm.streams.deleteMessage("CASINO_RETRY", state.first_seq);
  const found = await check();
  expect([found.verdict, found.count]).toEqual(["violated", 2]);
  expect([...found.names].sort()).toEqual(
    [`casino:test:2 (to ${healthy.id})`, `casino:test:${id} (to ${failing.id})`].sort(),
  );

  // Of what was stored before its settings were changed nobody knows what it wanted.
  await destinations.update(healthy.id, undefined, { types: null });
  expect((await check()).names).toEqual([`casino:test:${id} (to ${failing.id})`]);
});
