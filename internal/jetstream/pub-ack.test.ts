import type { Msg } from "nats";
import { describe, expect, test } from "vitest";
import { PublishError, parsePubAck } from "./pub-ack.ts";

/** As much of a message as an answer has. */
function answer(text: string): Msg {
  const data = Buffer.from(text);
  return { data, json: () => JSON.parse(text) } as unknown as Msg;
}

describe("a PubAck", () => {
  test.each([
    ["of nats-server 2.12 and newer", '{"stream":"CASINO_RAW","seq":12}', 12, false],
    ["of an older one", '{"stream":"CASINO_RAW", "seq":12}', 12, false],
    ["of a copy", '{"stream":"CASINO_RAW", "seq":9,"duplicate": true}', 9, true],
    ["of a JetStream domain", '{"stream":"CASINO_RAW","domain":"hub","seq":7}', 7, false],
    ["with a text more", '{"stream":"CASINO_RAW","seq":7,"domain":"hub"}', 7, false],
    ["of a copy there", '{"stream":"CASINO_RAW","domain":"hub","seq":7,"duplicate":true}', 7, true],
    ["of a batch", '{"stream":"CASINO_RAW","seq":7,"batch":"b","count":3}', 7, false],
    [
      "of a batch of copies",
      '{"stream":"CASINO_RAW","seq":7,"duplicate": true,"batch":"b","count":3}',
      7,
      true,
    ],
    ["with the largest sequence", '{"stream":"CASINO_RAW","seq":9007199254740991}', 9007199254740991, false],
  ])("%s", (_of, text, seq, duplicate) => {
    const outcome = parsePubAck(answer(text), "casino.event.raw.casino");
    if (outcome instanceof PublishError) throw outcome;
    const { stream, seq: at, duplicate: isCopy } = outcome;
    expect([stream, at, isCopy]).toEqual(["CASINO_RAW", seq, duplicate]);
  });

  test("an error is one, though a stream and a sequence stand behind it", () => {
    const text =
      '{"error":{"code":400,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"CASINO_RAW","seq":0}';
    const outcome = parsePubAck(answer(text), "casino.event.raw.casino");
    expect(outcome).toBeInstanceOf(PublishError);
    expect(outcome).toMatchObject({ message: "maximum bytes exceeded", code: 10077, isStreamFull: true });
  });

  test.each([
    "hello",
    "}",
    '"seq":5}',
    '{"stream":"x","n":1}',
    '{"stream":"x","seq":}',
    "[5]",
    "5",
    '{"stream":5,"seq":5}',
    '{"seq":5}',
    '{"id":5}',
  ])("%s is none", (text) => {
    expect(parsePubAck(answer(text), "x")).toBeInstanceOf(PublishError);
  });

  test("nothing at all means that no stream listens", () => {
    const outcome = parsePubAck(answer(""), "casino.event.raw.casino");
    expect(outcome).toMatchObject({
      message: expect.stringContaining("no stream takes casino.event.raw.casino"),
    });
  });
});
