import fc from "fast-check";
import { connect, type Msg } from "nats";
import { describe, expect, test } from "vitest";
import { brokerForTest, connectForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { OutgoingHeaders, ReceivedHeaders } from "./wire-headers.ts";
import { WireWriter } from "./wire-writer.ts";

const { server, nc } = await brokerForTest();
const frames = WireWriter.of(nc);

/** What `publish` sends, as another connection receives it. */
async function received(subject: string, publish: () => void): Promise<readonly Msg[]> {
  const { nc: other } = await connectForTest(server);
  const got: Msg[] = [];
  const subscription = other.subscribe(subject, { callback: (_err, msg) => void got.push(msg) });
  await other.flush();
  publish();
  frames.handOver();
  await nc.flush();
  await other.flush();
  subscription.unsubscribe();
  return got;
}

const text = (msg: Msg) => Buffer.from(msg.data).toString();

describe("frames", () => {
  test("arrive as they were sent, of whatever size and in whatever characters", async () => {
    const message = fc.record({
      last: fc.stringMatching(/^[a-zé✓🎲0-9]{1,20}$/u),
      reply: fc.stringMatching(/^[a-zé✓🎲0-9]{1,20}$/u),
      value: fc.string({ unit: "grapheme", maxLength: 400 }),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 2_000, size: "max" }),
        fc.string({ unit: "grapheme", maxLength: 600, size: "max" }),
      ),
    });
    // Some hundred kilobytes each time: across the ends of several slabs.
    const messages = fc.array(message, { minLength: 300, maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(messages, async (sent) => {
        const got = await received("frames.*", () => {
          for (const { last, reply, value, payload } of sent)
            frames.publish(`frames.${last}`, reply, new OutgoingHeaders().add("V", value), payload);
        });
        expect(
          got.map((msg) => ({
            last: msg.subject.slice("frames.".length),
            reply: msg.reply,
            value: ReceivedHeaders.of(msg).get("V"),
            payload: Buffer.from(msg.data),
          })),
        ).toEqual(
          sent.map(({ value, payload, ...rest }) => ({
            ...rest,
            value: value.replace(/[\r\n]+/g, " ").trim(),
            payload: Buffer.from(payload),
          })),
        );
      }),
      { numRuns: 10 },
    );
  });

  test("larger than a slab", async () => {
    const payload = Buffer.alloc(500_000, "x");
    const [msg] = await received("frames.large", () =>
      frames.publish("frames.large", "r", new OutgoingHeaders().add("A", "b".repeat(100_000)), payload),
    );
    expect(msg?.data.length).toBe(payload.length);
    expect(msg && ReceivedHeaders.of(msg).get("A")).toHaveLength(100_000);
  });

  test("keep their order, and count as the library's own do, which go before those of the same turn", async () => {
    const { outMsgs, outBytes } = nc.stats();
    const got = await received("frames.order", () => {
      for (let i = 0; i < 300; i += 3) {
        frames.publish("frames.order", "r", new OutgoingHeaders(), Buffer.from(String(i + 100)));
        frames.say("frames.order", String(i + 101));
        frames.publish("frames.order", "r", new OutgoingHeaders(), Buffer.from(String(i + 102)));
        if (i % 30 === 0) nc.publish("frames.order", String(i / 30));
      }
    });
    const expected = [
      ...Array.from({ length: 10 }, (_, i) => String(i)),
      ...Array.from({ length: 300 }, (_, i) => String(i + 100)),
    ];
    expect(got.map(text)).toEqual(expected);
    const headerBytes = new OutgoingHeaders().encode().length;
    expect(nc.stats().outMsgs - outMsgs).toBe(310);
    expect(nc.stats().outBytes - outBytes).toBe(10 + 300 * 3 + 200 * headerBytes);
  });

  test("can be handed over before the turn ends", async () => {
    const got = await received("frames.now", () => {
      frames.say("frames.now", "1");
      frames.handOver();
      nc.publish("frames.now", "2");
    });
    expect(got.map(text)).toEqual(["1", "2"]);
  });

  test("an acknowledgement waits for the next message, but not for long", async () => {
    const { nc: other } = await connectForTest(server);
    const got: string[] = [];
    other.subscribe("frames.said", { callback: (_err, msg) => void got.push(text(msg)) });
    await other.flush();
    frames.say("frames.said", "1");
    await Promise.resolve();
    frames.say("frames.said", "2");
    frames.publish("frames.said", "r", new OutgoingHeaders(), "3");
    await waitFor(() => got.length === 3);
    frames.say("frames.said", "4");
    await waitFor(() => got.length === 4);
    expect(got).toEqual(["1", "2", "3", "4"]);
  });

  test("too large a message is not sent, and no reason for the server to cut the connection", async () => {
    const got = await received("frames.size", () => {
      const most = nc.info?.max_payload ?? 0;
      const headers = new OutgoingHeaders().add("A", "b");
      const rest = most - headers.encode().length;
      expect(frames.publish("frames.size", "r", headers, Buffer.alloc(rest + 1))).toBe(false);
      expect(frames.publish("frames.size", "r", headers, Buffer.alloc(rest))).toBe(true);
    });
    expect(got).toHaveLength(1);
  });

  test("a subject that would break the line is refused", () => {
    for (const subject of ["a b", "a\r\nPUB b 0", "a\tb", ""])
      expect(() => frames.publish(subject, "r", new OutgoingHeaders(), Buffer.of())).toThrow("subject");
  });

  test("on a closed connection nothing can be sent, and it is said", async () => {
    const closed = await connect({ servers: server.url });
    await closed.close();
    const late = WireWriter.of(closed);
    expect(late.isClosed).toBe(true);
    expect(() => late.publish("a", "r", new OutgoingHeaders(), Buffer.of())).toThrow("closed");
    expect(() => late.say("a", "b")).toThrow("closed");
  });
});
