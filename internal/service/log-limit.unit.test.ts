import pino from "pino";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { LogLimit } from "./log-limit.ts";

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

function logForTest() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}

test("a client's flood is a few lines and a number, and takes none of another's lines", () => {
  const { log, lines } = logForTest();
  const limit = new LogLimit(log);
  for (let second = 0; second < 2; second++) {
    for (let seq = 0; seq < 5_000; seq++)
      limit.line("warn", { client: "loud", reason: "invalid_json" }, { seq }, "dead letter");
    limit.line("warn", { client: "loud", reason: "too_large" }, {}, "dead letter");
    limit.line("warn", { client: "calm", reason: "invalid_json" }, {}, "dead letter");
    vi.advanceTimersByTime(1_000);
    expect(lines.filter(({ client }) => client === "calm")).toHaveLength(1);
    expect(lines.filter(({ reason }) => reason === "too_large")).toHaveLength(1);
    expect(lines).toHaveLength(23);
    expect(lines.splice(0).at(-1)).toMatchObject({
      ...{ level: 40, client: "loud", reason: "invalid_json", count: 4_980 },
      msg: "and 4980 more lines like these",
    });
  }
});

test("new names are no way around it", () => {
  const { log, lines } = logForTest();
  const limit = new LogLimit(log);
  for (let client = 0; client < 5_000; client++) limit.line("info", { client: `c-${client}` }, {}, "");
  expect(lines).toHaveLength(120);
  vi.advanceTimersByTime(1_000);
  expect(lines.at(-1)).toMatchObject({ count: 4_880 });
  expect(lines.at(-1)).not.toHaveProperty("client");
});
