import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { WorkMeter } from "../telemetry/work-meter.ts";
import { each, loopForTest, raw } from "./loop.fixture.ts";
import { deadLetter, later } from "./step.ts";

const { count, send, settled, start } = await loopForTest();

test("each event of a step is counted once, whatever becomes of it", async () => {
  const meter = new WorkMeter("test");
  let isAway = true;
  await start(
    each((id) => {
      if (id === 2) return deadLetter("unsupported_currency", "No rate.");
      return id === 3 && isAway ? later("The rates are away.") : undefined;
    }),
    undefined,
    undefined,
    undefined,
    meter,
  );
  await send(`[${raw(1)},${raw(2)},${raw(3)},{"id":4}]`);
  await settled();
  // The third has left its message for the step's other mailbox, and comes again there.
  await waitFor(() => meter.retried > 0);
  expect(meter.events).toBe(3);
  expect(Object.fromEntries(meter.deadLetters)).toEqual({ unsupported_currency: 1, invalid_event: 1 });
  isAway = false;
  await waitFor(async () => (await count("CASINO_APART")) === 0);
  await waitFor(() => meter.events === 4);
  expect(meter.messages).toBe(2);
  expect(meter.redelivered).toBeGreaterThan(0);
  expect(meter.inFlight).toBe(0);
  expect(meter.durations.count).toBe(4);
});
