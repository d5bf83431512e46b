import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { DestinationHealth } from "./destination-health.ts";
import { sendersForTest } from "./sender.fixture.ts";

const { addDestination, destinations, nc } = await sendersForTest();
const { signal } = new AbortController();

/** What one of several senders knows of a receiver, and its part in recording that. */
function senderOf(id: string) {
  const health = new DestinationHealth({ nc, destinations, disableAfterMs: 3_600_000, log: silent });
  const caller = {
    failingSince: undefined as Date | undefined,
    succeededAt: undefined as Date | undefined,
    forgetFailures: () => {
      caller.failingSince = undefined;
    },
  };
  const note = async () => {
    const destination = await destinations.find(id, undefined);
    if (destination !== undefined) await health.note([{ destination, caller }], signal);
  };
  return { caller, note };
}

const failingSince = async (id: string) => (await destinations.find(id, undefined))?.failingSince;
const [first, second, third] = [1, 2, 3].map((n) => new Date(1_700_000_000_000 + n * 1_000));

test("a receiver that fails for one sender stays failing, though another one's last call succeeded before", async () => {
  const { id } = await addDestination("http://127.0.0.1:9");
  const [idle, failing] = [senderOf(id), senderOf(id)];
  idle.caller.succeededAt = first;
  failing.caller.failingSince = second;
  await failing.note();
  await idle.note();
  expect(await failingSince(id)).toEqual(second);
  idle.caller.succeededAt = third;
  await idle.note();
  expect(await failingSince(id)).toBeNull();
});

test("a receiver that another sender has reached is failing no more, though its own last call failed", async () => {
  const { id } = await addDestination("http://127.0.0.1:9");
  const [reaching, failing] = [senderOf(id), senderOf(id)];
  failing.caller.failingSince = first;
  await failing.note();
  reaching.caller.succeededAt = second;
  for (let round = 0; round < 3; round++) {
    await reaching.note();
    await failing.note();
    expect(await failingSince(id)).toBeNull();
  }
  failing.caller.failingSince = third;
  await failing.note();
  await reaching.note();
  expect(await failingSince(id)).toEqual(third);
});
