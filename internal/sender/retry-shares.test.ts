import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { addClients } from "../archive/database.fixture.ts";
import { defaultSettings } from "../webhooks/destination.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { bets, hasAll, range, sendersForTest } from "./sender.fixture.ts";

const { addDestination, db, destinations, jsm, publish, publishBets, startSender, waiting } =
  await sendersForTest();

test("one client's failing events leave room in CASINO_RETRY for others', and none of them is lost", async () => {
  const { config } = await jsm.streams.info("CASINO_RETRY");
  await jsm.streams.update("CASINO_RETRY", { ...config, max_bytes: 4 * 1024 * 1024 });
  let isBack = false;
  let calls = 0;
  // One of three calls succeeds, so the breaker stays closed.
  const flaky = await receiverForTest((response) =>
    response.writeHead(isBack || ++calls % 3 === 0 ? 204 : 500).end(),
  );
  const { id } = await addDestination(flaky.url, { batch: 10 });
  await addClients(db, "other");
  let failures = 2;
  const other = await receiverForTest((response) => response.writeHead(failures-- > 0 ? 500 : 204).end());
  await destinations.create("other", { ...defaultSettings, url: other.url });
  const sender = startSender({ plan: Array.from({ length: 20 }, () => 3_000) });
  await publishBets(1, 2_501, { description: "long ".repeat(600) });
  const warning = () => sender.warnings.find((text) => text.startsWith("Retries of "));
  expect(await waitFor(warning)).toMatch(/^Retries of casino take some [23] of the 4 MiB/);
  const fresh = await waitFor(async () => {
    const state = await jsm.consumers.info("CASINO_EVENTS", `sender_${id}`);
    return state.num_ack_pending === 0 && state;
  });
  expect(fresh.num_pending).toBeGreaterThan(0);
  await publish(bets(1, 2), "other");
  await waitFor(() => other.received.length === 3);
  isBack = true;
  await hasAll(flaky.received, range(1, 2_501));
  await waitFor(async () => (await waiting()) === 0);
  await waitFor(() => warning() === undefined);
});
