import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { rawStage } from "../messages/subjects.ts";
import { dead, events, systemForTest, troubles } from "./system.fixture.ts";

const { jsm, nc, proof, send, settled, startAll, startSteps, stopAll, stored, wrong } = await systemForTest();

// What a hostile order to JetStream, or a slip of the hand, would do: a whole stream gone at once.

describe("a stream that was emptied is no stream that nothing was in:", () => {
  test("final events, of which some were not archived yet", async () => {
    await send(1, 3);
    await settled();
    await stopAll();
    await startSteps();
    await send(4, 6);
    await waitFor(async () => (await stored(events)) === 6);
    await stopAll();
    await jsm.streams.purge(events);
    await startAll();
    expect(await wrong()).toEqual({
      accounted: [6, ...[1, 2, 3, 4, 5, 6].map((number) => `CASINO_RAW ${number}`)],
      holes: [6, "CASINO_EVENTS 1 to 6"],
      surplus: [3, "casino:test:1", "casino:test:2", "casino:test:3"],
      materialized: "unchecked",
    });
  });

  test("dead letters", async () => {
    await send(1, 3, { currency: "XYZ" });
    await settled();
    await jsm.streams.purge(dead);
    expect(await wrong()).toEqual({ accounted: [3, "CASINO_RAW 1", "CASINO_RAW 2", "CASINO_RAW 3"] });
  });

  test("the record of copies", async () => {
    await send(1, 2);
    await settled();
    await send(1, 2);
    await waitFor(async () => (await stored("CASINO_COPIES")) > 0);
    await settled();
    await jsm.streams.purge("CASINO_COPIES");
    expect(await wrong()).toEqual({ accounted: [2, "CASINO_RAW 3", "CASINO_RAW 4"] });
  });

  // With the stream go the numbers by which its events would be missed: that much has to be said.
  test("raw events, with their stream", async () => {
    await send(1, 3);
    await settled();
    await stopAll();
    await send(4, 6);
    await jsm.streams.delete("CASINO_RAW");
    await ensureStreams(nc, [rawStage], defaultLimits);
    await send(7, 7);
    await startAll();
    expect(troubles(await proof({ waitMs: 10_000 }))).toMatchObject({
      older: { verdict: "unchecked", sentence: expect.stringContaining("CASINO_RAW was made anew") },
    });
  });
});
