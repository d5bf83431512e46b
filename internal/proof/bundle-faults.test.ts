import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader, numberForm, parseAccepted } from "../messages/accepted.ts";
import { apartMessage } from "../messages/apart.ts";
import { bundleLine, bundleMessage } from "../messages/bundle.ts";
import { type Enclosed, openMessage } from "../messages/enclosed.ts";
import { dead, events, systemForTest, troubles } from "./system.fixture.ts";

const {
  forwarding,
  jsm,
  nc,
  proof,
  publisher,
  send,
  sendTogether,
  settled,
  startAll,
  startSteps,
  stopAll,
  stored,
  wrong,
} = await systemForTest();

forwarding.bundles = true;

const priced = "CASINO_PRICED";
const apart = "CASINO_APART";

/** What lies in a stream at this sequence, and the events in it. */
async function lyingAt(stream: string, seq: number) {
  const message = await readStored(nc, stream, seq);
  if (message === undefined) throw new Error(`${stream} has no message ${seq}`);
  const opened = openMessage({ ...message, stream, streamSequence: seq, deliveries: 1 });
  if ("reason" in opened) throw new Error(opened.because);
  return { message, lines: opened };
}

/** The steps stopped, and these many events of an array each waiting in CASINO_PRICED. */
async function priceArrays(...sizes: readonly number[]): Promise<void> {
  await stopAll();
  let next = 1;
  for (const size of sizes) {
    await sendTogether(next, next + size - 1);
    next += size;
  }
  await startSteps("currency");
  await waitFor(async () => (await jsm.streams.info("CASINO_RAW")).state.messages === 0);
  await stopAll();
}

/** Puts these lines of a bundle into its place. */
async function rewrite(seq: number, lines: readonly Enclosed[]): Promise<void> {
  const texts = lines.map(({ envelope, value }) => bundleLine(envelope, JSON.stringify(value)));
  const numbers = lines.map(({ envelope }) => envelope.accepted);
  await publisher.publish(bundleMessage("priced", texts, numbers, `rewritten:${seq}`));
  await jsm.streams.deleteMessage(priced, seq);
}

const nameOf = ({ envelope }: Enclosed): string => {
  const accepted = parseAccepted(envelope.accepted ?? "");
  return accepted === undefined ? "no number" : `CASINO_RAW ${numberForm(accepted)}`;
};

describe("events that travel together:", () => {
  test("nothing is wrong with arrays, their letters and their copies", async () => {
    await sendTogether(1, 40);
    await sendTogether(41, 45, { currency: "XYZ" });
    await settled();
    await sendTogether(31, 50);
    await send(51, 51);
    await settled();
    const found = await proof({ waitMs: 10_000 });
    expect(troubles(found)).toEqual({});
    expect(found).toMatchObject({
      accepted: { messages: 4, accepted: 66, final: 51, dead: 5, copy: 10, lost: 0, isEstimate: false },
      finals: { messages: 51 },
    });
    expect(await stored(priced)).toBeLessThan(30);
  });

  test("what waits counts by event, in the first queue by the look at some", async () => {
    await priceArrays(20, 30);
    const { message } = await lyingAt(priced, 1);
    expect(Number(message.headers.get("Casino-Count"))).toBeGreaterThan(1);
    expect((await proof()).accepted).toMatchObject({ messages: 2, accepted: 50, waiting: 50 });
    for (let id = 101; id <= 1_300; id += 10) await sendTogether(id, id + 9);
    const found = await proof();
    expect(found.accepted).toMatchObject({
      messages: 122,
      accepted: 1_250,
      waiting: 1_250,
      isEstimate: true,
    });
    await startAll();
    expect((await proof({ waitMs: 30_000 })).accepted).toMatchObject({ accepted: 1_250, final: 1_250 });
  });

  test("a lost bundle is named, event by event", async () => {
    await priceArrays(300);
    const { lines } = await lyingAt(priced, 1);
    expect(lines).toHaveLength(256);
    await jsm.streams.deleteMessage(priced, 1);
    await startAll();
    const { accounted } = await wrong({ waitMs: 10_000, names: 256 });
    expect(accounted).toEqual([256, ...lines.map(nameOf)]);
    expect(accounted?.[1]).toBe("CASINO_RAW 1.1/300");
  });

  test("of a message whose events are all gone nobody knows how many there were", async () => {
    await priceArrays(5);
    await jsm.streams.purge(priced);
    expect((await wrong({})).accounted).toEqual([1, "CASINO_RAW 1"]);
  });

  test("so is a lost line of a bundle, whose headers list it or not", async () => {
    await priceArrays(5, 5);
    const last = await stored(priced);
    const { lines } = await lyingAt(priced, 1);
    const [first, ...others] = lines;
    if (first === undefined) throw new Error("the bundle is empty");
    await rewrite(1, others);
    expect((await wrong({})).accounted).toEqual([1, nameOf(first)]);
    const rewritten = await lyingAt(priced, last + 1);
    // Without the list its lines tell.
    await publisher.publish({
      subject: rewritten.message.subject,
      payload: rewritten.message.data,
      headers: new OutgoingHeaders().add("Nats-Msg-Id", "bare").add("Content-Type", "application/x-ndjson"),
    });
    await jsm.streams.deleteMessage(priced, last + 1);
    expect((await wrong({})).accounted).toEqual([1, nameOf(first)]);
    await startAll();
    expect(await wrong()).toEqual({ accounted: [1, nameOf(first)] });
  });

  test("so is a lost letter of one line, and a lost final event", async () => {
    await sendTogether(1, 10, { currency: "XYZ" });
    await sendTogether(11, 20);
    await settled();
    const numberAt = async (stream: string, seq: number) => {
      const message = await jsm.streams.getMessage(stream, { seq });
      return `CASINO_RAW ${message?.header.get(acceptedHeader).split(" ")[0]}`;
    };
    const names = [await numberAt(dead, 4), await numberAt(events, 7)];
    expect(names[1]).toMatch(/^CASINO_RAW 2\.\d+\/10$/);
    await jsm.streams.deleteMessage(dead, 4);
    await jsm.streams.deleteMessage(events, 7);
    expect(await wrong()).toMatchObject({ accounted: [2, ...names], holes: [1, `${events} 7`] });
  });

  test("a line that is in CASINO_EVENTS twice, and one that was never accepted", async () => {
    await sendTogether(1, 10);
    await settled();
    const original = await readStored(nc, events, 3);
    const key = original?.headers.get("Nats-Msg-Id").replace(":final", "");
    const accepted = original?.headers.get(acceptedHeader) ?? "";
    const put = (id: string, number: string) =>
      publisher.publish({
        subject: original?.subject ?? "",
        payload: original?.data ?? "",
        headers: new OutgoingHeaders()
          .add("Nats-Msg-Id", id)
          .add("Casino-Source", "test")
          .add(acceptedHeader, number),
      });
    await put("mine", accepted);
    await put("casino:test:77:final", accepted.replace(/\.\d+\/10/, ".11/11"));
    expect(await wrong()).toMatchObject({
      once: [1, `${key} (CASINO_EVENTS 11)`],
      strangers: [1, "casino:test:77 (CASINO_EVENTS 12)"],
    });
  });

  test("an event that waits apart is there, and named when it is lost", async () => {
    await priceArrays(5, 5);
    const { lines } = await lyingAt(priced, 1);
    const [first, ...others] = lines;
    if (first === undefined) throw new Error("the bundle is empty");
    await publisher.publish(apartMessage("player", first));
    await rewrite(1, others);
    const found = await proof();
    expect(found).toMatchObject({ holds: true, accepted: { accepted: 10, waiting: 10 } });
    expect(await wrong({ waitMs: 100 })).toMatchObject({
      quiet: [2, expect.stringMatching(/ in CASINO_PRICED$/), "1 message in CASINO_APART"],
    });
    await jsm.streams.purge(apart);
    await startAll();
    expect(await wrong()).toEqual({ accounted: [1, nameOf(first)] });
  });

  test("one that its consumer will not deliver any more", async () => {
    await priceArrays(5);
    const [first] = (await lyingAt(priced, 1)).lines;
    if (first === undefined) throw new Error("the bundle is empty");
    await publisher.publish(apartMessage("player", first));
    await jsm.consumers.update(apart, "player_apart", { max_deliver: 1, ack_wait: 1_000_000 });
    const taken = nc.subscribe("taken", { callback: () => undefined });
    await waitFor(async () => {
      nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${apart}.player_apart`, "", { reply: "taken" });
      const { num_pending, num_ack_pending } = await jsm.consumers.info(apart, "player_apart");
      return num_pending + num_ack_pending === 0;
    });
    taken.unsubscribe();
    expect((await wrong({})).stranded).toEqual([1, "CASINO_APART 1"]);
  });
});
