import type { Msg } from "nats";
import { describe, expect, test } from "vitest";
import { PublishError, parsePubAck } from "./pub-ack.ts";

/** As much of a message as an answer has. */
function answer(text: string, code?: number): Msg {
  const data = Buffer.from(text);
  const headers = code === undefined ? undefined : { code };
  return { data, headers, json: () => JSON.parse(text) } as unknown as Msg;
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
    if (outcome === undefined || outcome instanceof PublishError)
      throw new Error("it is none", { cause: outcome });
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

  test("a store that cannot be written to is not a full stream, though they have one code", () => {
    const text =
      '{"error":{"code":503,"err_code":10077,"description":"error opening msg block file"},"stream":"CASINO_RAW","seq":0}';
    expect(parsePubAck(answer(text), "casino.event.raw.casino")).toMatchObject({
      isStreamFull: false,
      isStoreBroken: true,
    });
  });

  test.each([
    ["2.10", '{"stream":"CASINO_EVENTS", "seq":0,"duplicate": true}'],
    [
      "2.11 and newer",
      '{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"},"stream":"CASINO_EVENTS","seq":0}',
    ],
  ])("of an id whose message the cluster may still lose, as %s puts it, is a refusal", (_version, text) => {
    const outcome = parsePubAck(answer(text), "casino.event.final.casino.bet");
    expect(outcome).toBeInstanceOf(PublishError);
    expect(outcome).toMatchObject({ code: 10158, isInProcess: true, isStreamFull: false });
  });

  test.each([
    '{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"x","seq":0}',
    '{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"},"stream":"x","seq":0}',
  ])("%s says that another message came first", (text) => {
    expect(parsePubAck(answer(text), "x")).toMatchObject({ isOutrun: true });
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
    // What somebody else may answer: figures, an error of a micro service.
    '{"events_total":0,"events_per_minute":0}',
    '{"error":"window_size must be an integer"}',
    '{"error":{"code":400}}',
    "",
  ])("%j is none, and no refusal either", (text) => {
    expect(parsePubAck(answer(text), "x")).toBeUndefined();
  });

  test("of nothing but the status 503 means that no stream listens", () => {
    const outcome = parsePubAck(answer("", 503), "casino.event.raw.casino");
    expect(parsePubAck(answer("", 408), "casino.event.raw.casino")).toBeUndefined();
    expect(outcome).toMatchObject({
      message: expect.stringContaining("no stream takes casino.event.raw.casino"),
    });
  });
});
