import { afterEach, expect, test } from "vitest";
import { connectForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { StrandedWatch } from "./stranded.ts";
import { ensureStreams } from "./topology.ts";

const server = await natsForTest();
const { nc, jsm } = await connectForTest(server);
const durable: Durable = {
  stream: "CASINO_RAW",
  name: "currency",
  filter: "casino.event.raw.*",
  maxAckPending: 100,
};
await ensureStreams(nc, ["raw"], defaultLimits);

let watch: StrandedWatch | undefined;
afterEach(() => watch?.close());

test("a consumer that is gone is made anew, though nobody pulls who would be told", async () => {
  await ensureDurable(nc, durable);
  watch = new StrandedWatch(nc, durable, silent, 20);
  await jsm.consumers.delete("CASINO_RAW", "currency");
  const again = await waitFor(() => jsm.consumers.info("CASINO_RAW", "currency"));
  expect(again.config).toMatchObject({ max_ack_pending: 100, max_deliver: -1 });
  expect(watch.problem).toBeUndefined();
});
