import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { discard } from "../dead-letters/removal.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import type { DeadMessage } from "../messages/dead-letter.ts";
import type { LetterHead } from "../messages/letter.ts";
import { LetterWriter, type SettingAside } from "./letter-writer.ts";

const folder = tempFolder("small-payload");
const config = join(folder, "nats.conf");
writeFileSync(config, "max_payload: 64KB\njetstream { store_dir: $NATS_STORE_DIR }");
const server = await natsForTest({ dir: folder, config });
const { nc, jsm } = await streamsForTest(server);
const publisher = new Publisher(nc);
const letters = new LetterWriter(nc, publisher);
const store = new LetterStore(nc);
const why: SettingAside = {
  step: "currency",
  client: "casino",
  reason: "invalid_json",
  because: "must be JSON",
};

beforeEach(() => ensureStreams(nc, ["raw"], defaultLimits));
const message = (data: Uint8Array | string, more: Partial<DeadMessage> = {}, headers = ""): DeadMessage => ({
  stream: "CASINO_RAW",
  streamSequence: 1,
  storedAt: 1_641_817_000_123,
  deliveries: 1,
  subject: "casino.event.raw.casino",
  headers: new ReceivedHeaders(headers === "" ? "" : `NATS/1.0\r\n${headers}\r\n\r\n`),
  data: Buffer.from(data),
  ...more,
});
const all = async () => {
  const heads: LetterHead[] = [];
  for await (const head of store.scan({}, await store.range())) heads.push(head);
  return heads;
};
const count = async () => (await jsm.streams.info("CASINO_DEAD")).state.messages;

describe("a letter", () => {
  test("of the same message is stored once, whatever its producer wrote into its headers", async () => {
    for (const headers of ["XNats-Msg-Id: x", "X: Nats-Msg-Id", "Nats-Msg-Id: 1", "nats-msg-id: 2"]) {
      await ensureStreams(nc, ["raw"], defaultLimits);
      const [one, two] = [message("x", {}, headers), message("x", {}, `${headers}0`)];
      expect(await letters.write(one, why)).toMatchObject({ duplicate: false });
      expect(await letters.write(two, why)).toMatchObject({ duplicate: true });
      expect(await count()).toBe(1);
      await jsm.streams.delete("CASINO_DEAD");
    }
  });

  test("of the same number in another stream of that name is another one", async () => {
    await letters.write(message("bad event A"), why);
    await letters.write(message("bad event B", { storedAt: 1_641_817_000_999 }), why);
    expect([(await store.read(1))?.payload, (await store.read(2))?.payload].map(String)).toEqual([
      "bad event A",
      "bad event B",
    ]);
  });

  test("that went without a trace is stored again, and once; one whose end the ledger knows is not", async () => {
    await letters.write(message("x"), why);
    await jsm.streams.purge("CASINO_DEAD");
    expect(await letters.write(message("x"), why)).toMatchObject({ seq: 2, duplicate: false });
    expect(await letters.write(message("x"), why)).toMatchObject({ seq: 2, duplicate: true });
    const head = await store.read(2);
    if (head === undefined) throw new Error("it is not there");
    const publish: Publisher["publish"] = (outgoing) => publisher.publish(outgoing);
    await discard(head, { store, publish, log: silent, by: "test" });
    expect(await letters.write(message("x"), why)).toMatchObject({ duplicate: true });
    expect(await count()).toBe(0);
  });
});

describe("what does not fit under the server's max_payload", () => {
  test("is cut in its headers, and the letter says so", async () => {
    const headers = `Casino-Source: crm\r\nX-Big: ${"x".repeat(9_000)}\r\nX-Small: 1`;
    await letters.write(message("y".repeat(57_000), {}, headers), why);
    const letter = await store.read(1);
    expect(letter?.payload.length).toBe(57_000);
    expect(letter?.headers.get("Casino-Source")).toBe("crm");
    expect(letter?.headers.get("X-Big")).toBe("");
    expect(letter?.headers.get("Casino-Dead-Cut")).toBe("1 header");
  });

  test("has its bytes beside the letter, which is read, and removed, as any other", async () => {
    const data = randomBytes(65_400);
    expect(await letters.write(message(data), why)).toMatchObject({ duplicate: false });
    expect(await letters.write(message(data), why)).toMatchObject({ duplicate: true });
    expect(await count()).toBe(3);
    const heads = await all();
    expect(heads.map(({ seq, bytes, reason }) => [seq, bytes, reason])).toEqual([
      [3, 65_400, "invalid_json"],
    ]);
    const letter = await store.read(3);
    expect(Buffer.compare(letter?.payload ?? Buffer.alloc(0), data)).toBe(0);
    expect(letter?.headers.get("Casino-Dead-Parts")).toBe("1,2");
    expect(letter?.isWhole).toBe(true);
    await jsm.streams.deleteMessage("CASINO_DEAD", 1);
    expect((await store.read(3))?.isWhole).toBe(false);
    expect(await store.remove({ seq: 3, parts: [1, 2] })).toBe(true);
    expect(await count()).toBe(0);
  });

  test("is stored in smaller parts where the stream takes less than the server", async () => {
    await jsm.streams.update("CASINO_DEAD", { max_msg_size: 20_000 });
    const data = randomBytes(65_400);
    await letters.write(message(data), why);
    const [head] = await all();
    const letter = await store.read(head?.seq ?? 0);
    expect(Buffer.compare(letter?.payload ?? Buffer.alloc(0), data)).toBe(0);
  });

  test("is refused for its size only by a stream that takes nothing at all", async () => {
    await jsm.streams.update("CASINO_DEAD", { max_msg_size: 100 });
    const refused = letters.write(message("x"), why);
    await expect(refused).rejects.toThrow(PublishError);
    await expect(refused).rejects.toMatchObject({ isTooLarge: true });
  });
});
