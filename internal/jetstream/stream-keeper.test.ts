import pino from "pino";
import { expect, test } from "vitest";
import { defaultLimits, streamsForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Publisher } from "./publisher.ts";
import { StreamKeeper, settleMs } from "./stream-keeper.ts";
import { OutgoingHeaders } from "./wire-headers.ts";

const { nc, jsm } = await streamsForTest();

async function keep(stages: readonly string[]) {
  const lines: string[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line).msg) });
  return { keeper: await StreamKeeper.open({ nc, stages, limits: defaultLimits, log }), lines };
}

const check = async (keeper: StreamKeeper) => keeper.check(AbortSignal.timeout(2_000));
async function names(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const name of jsm.streams.names()) found.push(name);
  return found.sort();
}

test("names a stream that somebody deleted, makes it anew, and says so once", async () => {
  const { keeper, lines } = await keep(["raw", "final"]);
  const before = await names();
  expect(await check(keeper)).toBeUndefined();
  expect(lines).toEqual([]);

  await jsm.streams.delete("CASINO_RAW");
  expect(await check(keeper)).toBe("stream CASINO_RAW is missing and made anew");
  await waitFor(async () => (await check(keeper)) === undefined);
  expect(await names()).toEqual(before);
  await waitFor(() => lines.length > 0);
  expect(lines).toEqual(["stream CASINO_RAW was missing and is made anew; what it held is gone"]);
});

test("a stream that no stage asks after is made anew too, once a message for it is refused", async () => {
  const { keeper } = await keep(["raw"]);
  const publisher = new Publisher(nc, { streams: keeper });
  await jsm.streams.delete("CASINO_DEAD");
  const letter = { subject: "casino.dead.currency.casino", payload: "x", headers: new OutgoingHeaders() };
  await expect(publisher.publish(letter)).rejects.toMatchObject({ isStreamMissing: true });
  await waitFor(() => publisher.publish(letter).then(() => true));
  publisher.close();
});

test("says why a stream cannot be made anew", async () => {
  const { keeper, lines } = await keep(["raw"]);
  await jsm.streams.delete("CASINO_RAW");
  await jsm.streams.add({ name: "OTHERS", subjects: ["casino.event.>"] });
  await check(keeper);
  await waitFor(async () => /^stream CASINO_RAW is missing: .* OTHERS/.test((await check(keeper)) ?? ""));
  await jsm.streams.delete("OTHERS");
  await waitFor(async () => (await check(keeper)) === undefined);
  await waitFor(() => lines.length > 1); // the stream is there a moment before the keeper says so
  expect(lines).toEqual([
    "streams cannot be made anew yet",
    "stream CASINO_RAW was missing and is made anew; what it held is gone",
  ]);
});

test("a thousand refusals at once are one look", async () => {
  const { keeper } = await keep(["raw"]);
  let requests = 0;
  const counting = nc.subscribe("$JS.API.STREAM.CREATE.CASINO_RAW", { callback: () => void requests++ });
  await nc.flush();
  await Promise.all(Array.from({ length: 1_000 }, () => keeper.restore()));
  await keeper.restore(); // so soon after: none
  await nc.flush();
  counting.unsubscribe();
  expect(requests).toBe(1);
});

test("a stream with other limits than this environment's is there", async () => {
  await keep(["raw"]);
  await jsm.streams.update("CASINO_RAW", { max_bytes: 1_000_000 });
  const { keeper, lines } = await keep(["raw"]);
  await keeper.restore();
  expect(await check(keeper)).toBeUndefined();
  expect(lines).toEqual([]);
});

test("a stream is not made anew while the server may still remove its files", async () => {
  const { keeper } = await keep(["raw"]);
  let asked: number | undefined;
  const watching = nc.subscribe("$JS.API.STREAM.CREATE.CASINO_RAW", {
    callback: () => {
      asked ??= performance.now();
    },
  });
  await jsm.streams.delete("CASINO_RAW");
  const deleted = performance.now();
  await keeper.restore();
  await nc.flush();
  watching.unsubscribe();
  expect((asked ?? 0) - deleted).toBeGreaterThanOrEqual(settleMs - 10);
  expect(await check(keeper)).toBeUndefined();
});
