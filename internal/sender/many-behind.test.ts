import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { encodeEvent } from "../casino/encode.ts";
import { retryMessage } from "../messages/retry.ts";
import { retryDurable, retryStream } from "../messages/subjects.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { bets, hasAll, idsOf, range, sendersForTest } from "./sender.fixture.ts";

const { addDestination, db, jsm, publish, publisher, startSender, waiting } = await sendersForTest();

test("an event that fails comes again, however many of its player wait behind it", async () => {
  let isBack = false;
  const receiver = await receiverForTest((response) => {
    const call = receiver.received.at(-1);
    response.writeHead(call !== undefined && idsOf([call])[0] === 1 && !isBack ? 500 : 204).end();
  });
  const { id } = await addDestination(receiver.url, { ordered: true });
  startSender({ mostBehind: 20, plan: [200, ...Array<number>(200).fill(1_000)] });
  // In place of 40,000 and 50,000: what is in hand may come beyond the first.
  await waitFor(() =>
    jsm.consumers.update(retryStream, retryDurable(id), { max_ack_pending: 600 }).catch(() => false),
  );
  await publish(bets(1, 2, { player_id: 7 }));
  await hasAll(receiver.received, [1]);
  await publish(bets(2, 1_001, { player_id: 7 }));
  await waitFor(async () => (await waiting()) > 20);
  const tried = receiver.received.length;
  await waitFor(() => receiver.received.length > tried + 2, { timeout: 15_000 });
  isBack = true;
  await hasAll(receiver.received, range(1, 1_001), 20_000);
  const own = idsOf(receiver.received).filter((each) => each > 1);
  expect(own).toEqual(own.toSorted((a, b) => a - b));
});

test("a stop does not wait until a sender has learned what waits for an ordered destination", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { ordered: true });
  const many = bets(1, 20_001, { player_id: 7 }).map((event) =>
    retryMessage({
      ...{
        destination: id,
        key: { client: "casino", source: "test", id: event.id },
        payload: encodeEvent(event),
      },
      ...{
        subject: "casino.event.final.casino.bet",
        sequence: event.id,
        attempts: 1,
        due: Date.now() + 60_000,
      },
      ...{ origin: "log", error: undefined, identity: {} },
    }),
  );
  await Promise.all(many.map((message) => publisher.publish(message)));
  const sender = startSender();
  await waitFor(
    async () => (await db.selectFrom("destination_places").select("keeper").execute()).length > 0,
  );
  const began = performance.now();
  await sender.stop();
  expect(performance.now() - began).toBeLessThan(2_000);
});
