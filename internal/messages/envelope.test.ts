import { afterAll, describe, expect, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { Delivery } from "../jetstream/delivery.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { WireWriter } from "../jetstream/wire-writer.ts";
import { deadLetterOf } from "./dead-letter.ts";
import { readEnvelope } from "./envelope.ts";

const { nc } = await brokerForTest();
const subscription = nc.subscribe("casino.event.>");
const incoming = subscription[Symbol.asyncIterator]();
afterAll(() => subscription.unsubscribe());

/** A message with these headers as it arrives through a real server. */
async function delivered(subject: string, headers: Readonly<Record<string, string>>): Promise<Delivery> {
  const out = new OutgoingHeaders();
  for (const [name, value] of Object.entries(headers)) out.add(name, value);
  nc.publish(subject, "{}", { headers: out.forPublish });
  const { value } = await incoming.next();
  return new Delivery(WireWriter.of(nc), value);
}

const rate = { "Casino-Rate": "1.0684", "Casino-Rate-At": "2026-01-01T00:00:00.000Z" };

describe("the envelope", () => {
  test("believes no producer's rate", async () => {
    const envelope = readEnvelope(await delivered("casino.event.raw.casino", rate));
    expect(envelope).not.toHaveProperty("rate");
  });

  test("keeps the rate that the currency step used", async () => {
    const envelope = readEnvelope(await delivered("casino.event.priced.casino.bet", rate));
    expect(envelope).toMatchObject({ rate: { value: "1.0684", at: "2026-01-01T00:00:00.000Z" } });
  });

  test.each([
    { ...rate, "Casino-Rate": "garbage" },
    { ...rate, "Casino-Rate": "-1" },
    { ...rate, "Casino-Rate-At": "yesterday" },
    { "Casino-Rate": "1.0684" },
  ])("drops what is no rate: %o", async (headers) => {
    const envelope = readEnvelope(await delivered("casino.event.priced.casino.bet", headers));
    expect(envelope).toMatchObject({ client: "casino", source: "nats" });
    expect(envelope).not.toHaveProperty("rate");
  });
});

test("a dead letter keeps what the event needs to be sent again, whatever stands before it", async () => {
  const headers = {
    "X-Big": "x".repeat(17_000),
    "X-Small": "1",
    "Casino-Source": "shop-1",
    "Content-Type": "application/x-protobuf",
  };
  const delivery = await delivered("casino.event.raw.casino", headers);
  const letter = deadLetterOf(delivery, "currency", "casino", "invalid_event", "A sentence.");
  const text = Buffer.from(letter.headers.encode()).toString();
  expect(text).toContain("\r\nCasino-Source: shop-1\r\n");
  expect(text).toContain("\r\nContent-Type: application/x-protobuf\r\n");
  expect(text).toContain("\r\nX-Small: 1\r\n");
  expect(text).not.toContain("X-Big");
});
