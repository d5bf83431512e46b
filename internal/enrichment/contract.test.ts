import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import type { ClientEvent, Outcome, Step } from "../actor/step.ts";
import { anyEvent } from "../casino/event.arbitrary.ts";
import { isMoney } from "../casino/event.ts";
import { LogLimit } from "../service/log-limit.ts";
import { type Dependencies, pipeline } from "./pipeline.ts";

/** A world in which everything is there. */
const dependencies: Dependencies = {
  rates: { current: async () => ({ rates: new Map([["USD", "1.0684"]]), fetchedAt: 0, missing: new Map() }) },
  players: {
    find: async (keys) =>
      keys.map(({ client, id }) => ({
        clientKnown: client !== "stranger",
        player:
          id === undefined || id % 2 === 0
            ? undefined
            : { email: `${id}@example.com`, last_signed_in_at: null },
      })),
  },
  games: { titleOf: (_client, id) => (id % 2 === 0 ? undefined : `Game ${id}`) },
};

const context = { log: new LogLimit(silent), signal: new AbortController().signal };
const anyBatch = fc.array(fc.record({ client: fc.constantFrom("casino", "stranger"), event: anyEvent }), {
  maxLength: 20,
});

const enrichedAgain = async (step: Step, batch: readonly ClientEvent[], outcomes: readonly Outcome[]) => {
  const forwarded = outcomes.flatMap((outcome, index) => {
    const { client } = batch[index] ?? { client: "" };
    return outcome.kind === "forward" ? [{ client, event: outcome.event }] : [];
  });
  return { forwarded, again: await step.enrich(forwarded, context) };
};

// What the loop relies on. A new step is in the list as soon as it is in the pipeline.
describe.each(pipeline(dependencies).map((step) => ({ name: step.name, step })))(
  "the step $name",
  ({ step }) => {
    test("gives one outcome for each event, in the same order, and keeps what the event was", async () => {
      await fc.assert(
        fc.asyncProperty(anyBatch, async (batch) => {
          const outcomes = await step.enrich(batch, context);
          expect(outcomes).toHaveLength(batch.length);
          for (const [index, outcome] of outcomes.entries())
            if (outcome.kind === "forward") {
              const {
                amount_eur: _cents,
                player: _player,
                description: _text,
                ...kept
              } = { ...batch[index]?.event } as Record<string, unknown>; // only to compare
              expect(outcome.event).toMatchObject(kept);
            }
        }),
      );
    });

    test("may meet an event again: the second time changes nothing", async () => {
      await fc.assert(
        fc.asyncProperty(anyBatch, async (batch) => {
          const { forwarded, again } = await enrichedAgain(step, batch, await step.enrich(batch, context));
          expect(again.map((outcome) => outcome.kind === "forward" && outcome.event)).toEqual(
            forwarded.map(({ event }) => event),
          );
        }),
      );
    });

    test("does not depend on the batch an event comes in", async () => {
      await fc.assert(
        fc.asyncProperty(anyBatch, async (batch) => {
          const together = await step.enrich(batch, context);
          const alone = await Promise.all(batch.map(async (item) => (await step.enrich([item], context))[0]));
          expect(together).toEqual(alone);
        }),
      );
    });

    test("takes an empty batch, and leaves its input alone", async () => {
      expect(await step.enrich([], context)).toEqual([]);
      await fc.assert(
        fc.asyncProperty(anyBatch, async (batch) => {
          const before = structuredClone(batch);
          await step.enrich(batch, context);
          expect(batch).toEqual(before);
        }),
      );
    });
  },
);

test("only bets and deposits are priced", async () => {
  const [currency] = pipeline(dependencies);
  await fc.assert(
    fc.asyncProperty(anyEvent, async (event) => {
      const [outcome] = (await currency?.enrich([{ client: "casino", event }], context)) ?? [];
      if (!isMoney(event)) expect(outcome).toEqual({ kind: "forward", event });
    }),
  );
});
