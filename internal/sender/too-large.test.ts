import { beforeEach, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { archive, finalBet } from "../archive/database.fixture.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { requestResend } from "../webhooks/delivery-requests.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { idsOf, sendersForTest } from "./sender.fixture.ts";

const { addDestination, db, jsm, letters, nc, outcomes, publishBets, startSender, waiting } =
  await sendersForTest();

const large = { description: "long ".repeat(600) };

// As after max_payload was lowered, only that the log still takes large events.
beforeEach(async () => {
  const { config } = await jsm.streams.info("CASINO_RETRY");
  await jsm.streams.update("CASINO_RETRY", { ...config, max_msg_size: 2_000 });
});

test("an event that fails and does not fit into CASINO_RETRY becomes a dead letter", async () => {
  const receiver = await receiverForTest((response) => response.writeHead(500).end());
  const { id } = await addDestination(receiver.url);
  startSender();
  await publishBets(1, 2, large);
  await waitFor(async () => (await outcomes(id)).set_aside === 1);
  expect(await new LetterStore(nc).read(1)).toMatchObject({
    step: `sender_${id}`,
    reason: "too_large",
    error: expect.stringMatching(/ 500.* It does not fit into CASINO_RETRY to wait for another attempt: /),
  });
  await waitFor(async () => {
    const { num_ack_pending, num_pending } = await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`);
    return num_ack_pending === 0 && num_pending === 0;
  });
  expect(receiver.received).toHaveLength(1);
});

test("of what is brought from the archive, it holds up nothing after it", async () => {
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  await archive(db, [finalBet(1, large), finalBet(2)]);
  startSender();
  await requestResend(db, destination, { source: "test", id: 1 });
  await requestResend(db, destination, { source: "test", id: 2 });
  await waitFor(() => receiver.received.length > 0);
  expect(idsOf(receiver.received)).toEqual([2]);
  expect(await letters()).toBe(1);
  await waitFor(async () => (await waiting()) === 0);
});
