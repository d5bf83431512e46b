import fc from "fast-check";
import { headers } from "nats";
import { describe, expect, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { OutgoingHeaders, ReceivedHeaders } from "./wire-headers.ts";

const { nc } = await brokerForTest();

/** Sends a message through a real server and gives the headers as they arrive. */
async function sent(publish: (subject: string) => void, subject = "headers.test"): Promise<ReceivedHeaders> {
  const subscription = nc.subscribe(subject, { max: 1 });
  publish(subject);
  for await (const msg of subscription) return ReceivedHeaders.of(msg);
  throw new Error("no message came");
}

describe("headers on the wire", () => {
  test("what was added arrives, through the client and the server", async () => {
    const out = new OutgoingHeaders()
      .add("Casino-Source", "crm")
      .add("traceparent", "00-ab-cd-01")
      .add("X", "a")
      .add("X", "b");
    const got = await sent((subject) => nc.publish(subject, "body", { headers: out.forPublish }));
    expect([...got.entries()]).toEqual([
      ["Casino-Source", "crm"],
      ["traceparent", "00-ab-cd-01"],
      ["X", "a"],
      ["X", "b"],
    ]);
    expect(got.get("X")).toBe("a");
    expect(got.get("x")).toBe("");
    expect(got.get("Casino")).toBe("");
  });

  test("reads what the library writes, with a reply subject and with an empty payload", async () => {
    const h = headers();
    h.set("Casino-Source", "ünïcode ✓");
    const got = await sent((subject) => nc.publish(subject, "", { headers: h, reply: "some.reply" }));
    expect(got.get("Casino-Source")).toBe("ünïcode ✓");
  });

  test("a subject of characters that take several bytes hides nothing", async () => {
    const out = new OutgoingHeaders().add("X", "a");
    const options = { headers: out.forPublish, reply: "antwort.für.alle" };
    const got = await sent((subject) => nc.publish(subject, "body", options), "headers.kaíno.🎲");
    expect([...got.entries()]).toEqual([["X", "a"]]);
    const without = await sent(
      (subject) => nc.publish(subject, "NATS/1.0\r\nX: fake\r\n\r\n"),
      "kaíno.🎲🎲🎲🎲",
    );
    expect([...without.entries()]).toEqual([]);
  });

  test("a message without headers has none", async () => {
    const got = await sent((subject) => nc.publish(subject, "NATS/1.0\r\nCasino-Source: fake\r\n\r\n"));
    expect(got.get("Casino-Source")).toBe("");
    expect([...got.entries()]).toEqual([]);
  });

  test("takes names that the library refuses to read", async () => {
    const odd = {
      encode: () => Buffer.from("NATS/1.0\r\nbad name: 1\r\nno colon\r\n: nameless\r\nGood: 2\r\n\r\n"),
    };
    const got = await sent((subject) => nc.publish(subject, "x", { headers: odd as never })); // only encode is called
    expect(got.get("Good")).toBe("2");
    expect([...got.entries()]).toEqual([
      ["bad name", "1"],
      ["Good", "2"],
    ]);
  });

  test("a line break in a value cannot start another header", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const text = Buffer.from(new OutgoingHeaders().add("A", value).encode()).toString();
        expect(text.split(/[\r\n]+/).filter((line) => line !== "")).toHaveLength(2);
      }),
    );
  });
});
