import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { addClients, archiveForTest, finalBet } from "../archive/database.fixture.ts";
import { encodeEvent } from "../casino/encode.ts";
import { DestinationRefused, Destinations } from "./destinations.ts";
import { readDeliverable, webhookMessage } from "./message.ts";
import { SampleReceiver } from "./sample-receiver.ts";
import { SecretBox } from "./secret-box.ts";
import { sign } from "./sign.ts";

const db = await archiveForTest();
await addClients(db, "other");
const destinations = new Destinations(db, new SecretBox([randomBytes(32)]));

/** A call like the sender's, to the client's destination. */
async function callOf(client: string, ids: readonly number[]) {
  const [destination] = await destinations.list(client);
  const events = ids.flatMap(
    (id) => readDeliverable(client, "test", Buffer.from(encodeEvent(finalBet(id)))) ?? [],
  );
  const { id, body } = webhookMessage(events, events.length > 1);
  const headers = { ...sign(destination?.secrets ?? [], { id, body, at: new Date() }) };
  return { url: destination?.url, body, headers };
}

test("takes what is signed for its client's destination, and nothing else; a later run goes on with that destination", async () => {
  const first = new SampleReceiver();
  await first.subscribe(destinations, ["casino", "other"], "http://127.0.0.1:4000");
  const { url, body, headers } = await callOf("casino", [1]);
  expect(url).toBe("http://127.0.0.1:4000/hooks/casino");
  expect(first.take("casino", body, headers)).toBe(true);
  expect(first.take("casino", body.replace("300", "301"), headers)).toBe(false);
  expect(first.take("other", body, headers)).toBe(false);
  expect(first.take("casino", body, {})).toBe(false);
  expect(first.take("nobody", body, headers)).toBe(false);
  const batch = await callOf("other", [2, 3, 4]);
  expect(first.take("other", batch.body, batch.headers)).toBe(true);
  expect(first.received).toEqual({
    casino: { verified: 1, refused: 2, events: 1, last: expect.objectContaining({ type: "bet" }) },
    other: { verified: 1, refused: 1, events: 3, last: expect.objectContaining({ type: "batch" }) },
  });

  const [before] = await destinations.list("casino");
  await destinations.update(before?.id ?? "", undefined, { enabled: false });
  const second = new SampleReceiver();
  await second.subscribe(destinations, ["casino"], "http://127.0.0.1:4001");
  expect(await destinations.list("casino")).toMatchObject([
    { id: before?.id, url: "http://127.0.0.1:4001/hooks/casino", enabled: true },
  ]);
  const again = await callOf("casino", [5]);
  expect(second.take("casino", again.body, again.headers)).toBe(true);
  await expect(second.subscribe(destinations, ["nobody"], "http://127.0.0.1:4001")).rejects.toThrow(
    DestinationRefused,
  );
});
