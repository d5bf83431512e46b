import { expect, onTestFinished, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { scan } from "./scan.ts";

const { nc, jsm } = await brokerForTest();
await jsm.streams.add({ name: "log", subjects: ["log.x"] });
for (let seq = 1; seq <= 10; seq++) await nc.request("log.x");

/** The next `count` requests for messages find nobody, as while a cluster's node does not know the consumer yet. */
function unanswered(count: number): void {
  const publish = nc.publish.bind(nc);
  let left = count;
  nc.publish = (subject, ...rest) =>
    publish(subject.includes("MSG.NEXT") && left-- > 0 ? "nobody.listens" : subject, ...rest);
  onTestFinished(() => {
    nc.publish = publish;
  });
}

async function read(): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const { streamSequence } of scan(nc, "log", {
    from: 1,
    before: 11,
    headersOnly: false,
    batch: 4,
  }))
    found.push(streamSequence);
  return found;
}

test.each([0, 1, 3])("reads everything once when %d of its requests find nobody", async (count) => {
  unanswered(count);
  expect(await read()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("says what is away when none of its requests finds anybody", async () => {
  unanswered(Number.POSITIVE_INFINITY);
  await expect(read()).rejects.toThrow("NATS ended the reading of log: nobody answers for its consumer.");
});
