import pino from "pino";
import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Outage } from "./outage.ts";
import { Unavailable } from "./unavailable.ts";

function outageWithLog() {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
  return { outage: new Outage(log), lines };
}

const full = new Unavailable("the queue is full");

test("one success among many refusals ends nothing and says nothing", async () => {
  const { outage, lines } = outageWithLog();
  const [held, ...passing] = Array.from({ length: 1_001 }, (_, index) => ({ index }));
  outage.failed("forward", held, full);
  for (const each of passing) {
    outage.failed("forward", each, full);
    outage.succeeded("forward", each);
  }
  expect(outage.problem).toBe("the queue is full");
  outage.succeeded("forward", held);
  await waitFor(() => outage.problem === undefined);
  expect(lines).toEqual(["events wait: the queue is full", "events flow again"]);
});

test("what comes and goes within a second is one outage", async () => {
  const { outage, lines } = outageWithLog();
  for (let turn = 0; turn < 1_000; turn++) {
    outage.failed("forward", "event", full);
    outage.succeeded("forward", "event");
    await new Promise(setImmediate);
  }
  await waitFor(() => outage.problem === undefined);
  expect(lines).toEqual(["events wait: the queue is full", "events flow again"]);
});

test("a step's success is no sign that its forwards are stored: each cause is said once, and the end once for all", async () => {
  const { outage, lines } = outageWithLog();
  outage.failed("forward", 1, full);
  outage.failed("step", 2, new Unavailable("Postgres is away"));
  outage.succeeded("step", 2);
  outage.succeeded("forward", 2); // never failed there
  await waitFor(() => outage.problem === "the queue is full");
  outage.succeeded("forward", 1);
  await waitFor(() => outage.problem === undefined);
  expect(lines).toEqual([
    "events wait: the queue is full",
    "events wait: Postgres is away",
    "events flow again",
  ]);
});

test("counts the attempts by how long it lasts, so that an event that joins late does not begin with the shortest pause", async () => {
  const { outage } = outageWithLog();
  expect(outage.failed("forward", 1, full)).toBe(1);
  await waitFor(() => outage.failed("forward", 2, full) >= 2, { what: "a longer pause" });
});

test("a failure that is no outage of anything is said louder", () => {
  const levels: number[] = [];
  const outage = new Outage(pino({}, { write: (line) => levels.push(JSON.parse(line).level) }));
  outage.failed("step", 1, new Error("x is not a function"));
  outage.failed("forward", 1, full);
  expect(levels).toEqual([50, 40]);
});
