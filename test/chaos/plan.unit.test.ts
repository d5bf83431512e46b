import { describe, expect, test } from "vitest";
import { readCommandLine, TextAsked } from "../../internal/service/command-line.ts";
import { eventOf, type Item, idOf, invalidOf, type SenderName, script, whose } from "./events.ts";
import { catalogue } from "./faults/catalogue.ts";
import { chaosCommand } from "./options.ts";
import { planOf } from "./plan.ts";

const names = (seed: number) =>
  planOf({ seed, faults: [] }).flatMap(({ faults }) => faults.map(({ name }) => name));
const sender: SenderName = { client: "casino", source: "one", index: 0 };
const other: SenderName = { client: "casino", source: "two", index: 1 };
const first = (count: number, seed: number, of = sender): readonly Item[] =>
  script(seed, of).take(count).toArray();

describe("the plan", () => {
  test("goes through every fault once, in an order that the seed decides", () => {
    expect(names(1).toSorted()).toEqual(catalogue.map(({ name }) => name).sort());
    expect(names(1)).toEqual(names(1));
    expect(names(1)).not.toEqual(names(2));
  });

  test("keeps to the faults that are named, in their order", () => {
    const args = ["--seed", "1", "--faults", "kill-redis,cluster-kill-leader,kill-nats"];
    const options = readCommandLine(chaosCommand, args);
    const plan = planOf(options instanceof TextAsked ? { seed: 0, faults: [] } : options);
    expect(plan.map(({ topology, faults }) => [topology, ...faults.map(({ name }) => name)])).toEqual([
      ["single", "kill-redis", "kill-nats"],
      ["cluster", "cluster-kill-leader"],
    ]);
  });
});

describe("what is sent", () => {
  test("is the same for the same seed, and another for another seed or sender", () => {
    expect(first(1_000, 7)).toEqual(first(1_000, 7));
    expect(first(1_000, 7)).not.toEqual(first(1_000, 8));
    expect(first(1_000, 7)).not.toEqual(first(1_000, 7, other));
    expect(eventOf(7, sender, 5)).toEqual(eventOf(7, sender, 5));
    expect(eventOf(7, sender, 5)).not.toEqual({ ...eventOf(8, sender, 5) });
  });

  test("is new events without gaps, a good part of them again, and some that are invalid", () => {
    const items = first(20_000, 3);
    const of = (kind: Item["kind"]) => items.filter((item) => item.kind === kind).map(({ n }) => n);
    expect(of("event")).toEqual(Array.from({ length: of("event").length }, (_, i) => i + 1));
    expect(of("again").length / items.length).toBeCloseTo(0.08, 2);
    expect(of("invalid").length / items.length).toBeCloseTo(0.02, 2);
    let begun = 0;
    for (const { kind, n } of items) {
      if (kind === "event") begun = n;
      else if (kind === "again") expect(n >= 1 && n <= begun).toBe(true);
    }
  });

  test("says by its id whose it is", () => {
    expect(whose(idOf(other, 123_456))).toEqual([1, 123_456]);
  });

  test("is invalid in every way that has a reason of its own", () => {
    const reasons = new Set(Array.from({ length: 16 }, (_, n) => invalidOf(1, sender, n + 1).reason));
    expect([...reasons].sort()).toEqual([
      "invalid_event",
      "invalid_json",
      "unknown_client",
      "unknown_type",
      "unsupported_currency",
    ]);
  });
});
