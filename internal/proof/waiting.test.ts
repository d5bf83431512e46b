import { expect, test } from "vitest";
import { defaultLimits, streamsForTest } from "../../test/harness/broker.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { sequencesIn, stateOf } from "../jetstream/stream-state.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { waitingIn } from "./waiting.ts";

const { nc, jsm } = await streamsForTest();
const publisher = new Publisher(nc);
const queue = "CASINO_PRICED";
const filter = "casino.event.priced.*.*";

/** A queue that had `count` messages, of which those of `gone` are gone. */
async function fill(count: number, gone: readonly number[]): Promise<readonly number[]> {
  await ensureStreams(nc, ["priced"], defaultLimits);
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await Promise.all(
    numbers.map((number) =>
      publisher.publish({
        subject: "casino.event.priced.casino.bet",
        payload: Buffer.from("{}"),
        headers: new OutgoingHeaders().add("Casino-Accepted", `${number} 1641817000123`),
      }),
    ),
  );
  for (const seq of gone) await jsm.streams.deleteMessage(queue, seq);
  return numbers.filter((number) => !gone.includes(number));
}

async function read(): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const { seq, headers } of waitingIn(nc, queue, filter, await stateOf(nc, queue))) {
    expect(headers.get("Casino-Accepted")).toBe(`${seq} 1641817000123`);
    found.push(seq);
  }
  return found.sort((a, b) => a - b);
}

test.each<[string, number, readonly number[]]>([
  ["that never had any", 0, []],
  ["with none left", 3, [1, 2, 3]],
  ["with one", 1, []],
  ["with fewer than are read at once", 5, [2]],
  ["with holes", 100, [1, 2, 13, 14, 15, 50, 99, 100]],
])("finds every message of a queue %s", async (_what, count, gone) => {
  const left = await fill(count, gone);
  expect(await read()).toEqual(left);
  const sequences: number[] = [];
  for await (const seq of sequencesIn(nc, queue)) sequences.push(seq);
  expect(sequences).toEqual(left);
});

test("can be left in the middle", async () => {
  await fill(100, []);
  for await (const { seq } of waitingIn(nc, queue, filter, await stateOf(nc, queue))) {
    expect(seq).toBeGreaterThan(0);
    break;
  }
  expect(await read()).toHaveLength(100);
});
