import { describe, expect, test } from "vitest";
import { buildPicture, waitingIn } from "./picture.ts";
import type { Queues } from "./queues.ts";
import { spoken, statusOf, workOf } from "./status.fixture.ts";
import { StatusBoard } from "./status-board.ts";

const layout = [
  { name: "currency", takesFrom: "raw" },
  { name: "description", takesFrom: "profiled" },
];

function board() {
  let now = 0;
  const it = new StatusBoard(() => now);
  return {
    it,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe("the board", () => {
  test("tells those that are silent from those that speak, and forgets them after a minute", () => {
    const { it, pass } = board();
    it.hear(...spoken(statusOf("logger")));
    pass(3_000);
    it.hear(...spoken(statusOf("enricher")));
    expect(it.instances().map(({ isSilent }) => isSilent)).toEqual([false, false]);
    pass(1);
    expect(it.instances().map(({ status, isSilent }) => [status.service, isSilent])).toEqual([
      ["enricher", false],
      ["logger", true],
    ]);
    it.hear(...spoken(statusOf("logger")));
    expect(it.instances().every(({ isSilent }) => !isSilent)).toBe(true);
    pass(60_001);
    expect(it.instances()).toEqual([]);
  });

  test("forgets one that is silent once another has come in its place", () => {
    const { it, pass } = board();
    it.hear(...spoken(statusOf("enricher", { instance: "old" })));
    it.hear(...spoken(statusOf("logger", { instance: "other" })));
    pass(5_000);
    it.hear(...spoken(statusOf("enricher", { instance: "new" })));
    expect(it.instances().map(({ status, isSilent }) => [status.instance, isSilent])).toEqual([
      ["new", false],
      ["other", true],
    ]);
  });

  test("hears nothing that a service says in the name of another, and nothing that is no status", () => {
    const { it } = board();
    const [, data] = spoken(statusOf("enricher"));
    it.hear("croupier.status.logger.host-1-abc", data);
    it.hear("croupier.status.enricher.other", data);
    it.hear("croupier.status.enricher.host-1-abc", Buffer.from("{}"));
    expect(it.instances()).toEqual([]);
  });
});

describe("the picture", () => {
  test("sums what the instances of a step say, and takes the slowest of their times", () => {
    const { it } = board();
    const [a, b] = [workOf({ rate: 10, p99_ms: 5, dead_letters: 1 }), workOf({ rate: 30, p99_ms: 9 })];
    it.hear(...spoken(statusOf("enricher", { instance: "a", work: { currency: a, description: a } })));
    it.hear(...spoken(statusOf("enricher", { instance: "b", work: { currency: b } })));
    const { steps, rate, letters } = buildPicture(layout, it.instances(), undefined);
    expect(steps[0]).toMatchObject({ health: "up", rate: 40, p99_ms: 9, dead_letters: 1, backlog: null });
    expect(steps[1]?.instances.map(({ instance }) => instance)).toEqual(["a"]);
    expect({ rate, letters }).toEqual({ rate: 10, letters: null });
  });

  test("counts events once that each instance of the materializer folds for itself", () => {
    const { it } = board();
    for (const instance of ["a", "b"])
      it.hear(...spoken(statusOf("materializer", { instance, work: { fold: workOf({ rate: 50 }) } })));
    expect(buildPicture(layout, it.instances(), undefined).readers[0]).toMatchObject({ rate: 50 });
  });

  test("shows who is down, silent, or not ready and why", () => {
    const { it, pass } = board();
    const enrichers = ["a", "b"].map((instance) =>
      spoken(statusOf("enricher", { instance, work: { currency: workOf() } })),
    );
    for (const one of enrichers) it.hear(...one);
    pass(4_000);
    for (const one of enrichers.slice(1)) it.hear(...one);
    const problems = ["postgres: away"];
    it.hear(...spoken(statusOf("archiver", { ready: false, problems, work: { archive: workOf() } })));
    const { steps, readers } = buildPicture(layout, it.instances(), undefined);
    expect(steps.map(({ health }) => health)).toEqual(["silent", "down"]);
    expect(readers.map(({ name, health }) => [name, health])).toEqual([
      ["materializer", "down"],
      ["logger", "down"],
      ["archiver", "unready"],
    ]);
    expect(readers[2]?.problems).toEqual(problems);
  });

  test("has what waits from JetStream, also what waits apart", () => {
    const queue = (stream: string, durable: string, waiting: number, unacked: number) => ({
      ...{ stream, durable, waiting, unacked },
    });
    const queues: Queues = {
      durables: [
        queue("CASINO_RAW", "currency", 7, 2),
        queue("CASINO_APART", "currency_apart", 1, 2),
        queue("CASINO_EVENTS", "archiver", 4, 0),
        queue("CASINO_EVENTS", "sender_1", 5, 1),
        queue("CASINO_EVENTS", "sender_2", 6, 1),
      ],
      streams: [{ stream: "CASINO_RAW", messages: 9, bytes: 90, maxBytes: 100 }],
      letters: [
        { step: "currency", client: "casino", count: 3 },
        { step: "archiver", client: "acme", count: 1 },
      ],
    };
    const picture = buildPicture(layout, [], queues);
    expect(picture.steps[0]).toMatchObject({ backlog: 7, unacked: 2, apart: 3 });
    expect(picture.steps[1]).toMatchObject({ backlog: null, apart: 0 });
    expect(picture.readers.map(({ name, backlog }) => [name, backlog])).toEqual([
      ["materializer", null],
      ["logger", null],
      ["archiver", 4],
      ["sender", 11],
    ]);
    expect(picture.letters).toBe(4);
    expect(waitingIn(picture)).toBe(10);
    expect(picture.streams).toEqual([{ stream: "CASINO_RAW", messages: 9, bytes: 90, max_bytes: 100 }]);
  });
});
