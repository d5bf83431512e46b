import { describe, expect, test } from "vitest";
import { decodeStatus, encodeStatus, type Status } from "./status.ts";

const status: Status = {
  service: "enricher",
  instance: "host-12-abcdef",
  host: "host.example",
  pid: 12,
  version: "0.1.0",
  started_at: "2026-11-28T09:00:00.000Z",
  at: "2026-11-28T09:00:01.000Z",
  ready: false,
  problems: ["postgres: it does not answer"],
  warnings: [],
  cpu: 0.25,
  memory: { rss: 100_000_000, heap_used: 50_000_000 },
  event_loop_p99_ms: 1.5,
  work: {
    player: {
      events: 100,
      rate: 12.5,
      in_flight: 3,
      messages: 10,
      bundle_mean: 10,
      redelivered: 1,
      retried: 2,
      dead_letters: 1,
      dead_letters_by_reason: { unknown_client: 1 },
      p50_ms: 1.2,
      p99_ms: null,
    },
  },
};
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe("a status", () => {
  test("is read as it was written", () => {
    expect(decodeStatus(Buffer.from(encodeStatus(status)))).toEqual(status);
  });

  test("of a newer version may say more", () => {
    expect(decodeStatus(bytes({ ...status, mood: "calm" }))).toMatchObject(status);
  });

  test.each([
    ["no JSON", Buffer.from("{")],
    ["no object", bytes([status])],
    ["without a service", bytes({ ...status, service: undefined })],
    ["with an instance that is none", bytes({ ...status, instance: "a.b" })],
    ["with a rate below zero", bytes({ ...status, work: { player: { ...status.work.player, rate: -1 } } })],
    ["with a time that is none", bytes({ ...status, at: "now" })],
    ["with problems that are no sentences", bytes({ ...status, problems: [1] })],
  ])("%s is none", (_what, data) => {
    expect(decodeStatus(data)).toBeUndefined();
  });
});
