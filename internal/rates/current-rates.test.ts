import { Kvm } from "@nats-io/kv";
import { expect, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { currentRates } from "./current-rates.ts";
import { encodeSnapshot } from "./rate-snapshot.ts";
import { snapshotOf } from "./world.fixture.ts";

const { nc } = await brokerForTest();

test("rates are those that the pipeline keeps, if it keeps any", async () => {
  const rates = currentRates(nc);
  expect(await rates()).toBeUndefined();
  const bucket = await new Kvm(nc).create("casino_rates");
  expect(await rates()).toBeUndefined();
  await bucket.put("EUR", "nonsense");
  expect(await rates()).toBeUndefined();
  await bucket.put("EUR", encodeSnapshot(snapshotOf("1.0684", Date.now())));
  expect((await rates())?.rates.get("USD")).toBe("1.0684");
});
