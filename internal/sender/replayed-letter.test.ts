import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { replay } from "../dead-letters/replay.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { idsOf, sendersForTest } from "./sender.fixture.ts";

const { addDestination, count, letters, nc, outcomes, publishBets, publisher, startSender, waiting } =
  await sendersForTest();

test("a delivery that was set aside and is sent again goes to its destination alone, with a plan of its own", async () => {
  let isBack = false;
  const receiver = await receiverForTest((response) => response.writeHead(isBack ? 204 : 500).end());
  const other = await receiverForTest();
  const { id } = await addDestination(receiver.url);
  await addDestination(other.url);
  startSender();
  await publishBets(1, 2);
  await waitFor(async () => (await letters()) === 1);
  await waitFor(async () => (await waiting()) === 0);
  const store = new LetterStore(nc);
  const letter = (await store.read(1)) ?? expect.fail("no letter");
  const publish = (message: Parameters<typeof publisher.publish>[0]) => publisher.publish(message);
  const desk = { store, publish, log: silent, by: "test" };
  // It fails again and becomes a letter of the same event, with one replay.
  expect(await replay(letter, desk)).toMatchObject({
    outcome: "replayed",
    subject: `casino.delivery.retry.${id}`,
    replays: 1,
  });
  await waitFor(async () => (await store.read(2)) !== undefined);
  await waitFor(async () => (await waiting()) === 0);
  isBack = true;
  expect((await store.read(2))?.replays).toBe(1);
  await replay((await store.read(2)) ?? expect.fail("no letter"), desk);
  await waitFor(async () => (await outcomes(id)).delivered === 1);
  expect(await letters()).toBe(0);
  expect(idsOf(other.received)).toEqual([1]);
  expect(await count("CASINO_EVENTS")).toBe(1);
  expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});
