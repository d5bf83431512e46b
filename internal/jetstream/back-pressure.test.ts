import { expect, onTestFinished, test } from "vitest";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { BackPressure } from "./back-pressure.ts";
import { ensureStreams } from "./topology.ts";

const { nc, jsm } = await brokerForTest();
const subject = "casino.event.final.casino.bet";
const mebibyte = 2 ** 20;

test("is there while a reader is behind by more than half of what the log keeps, and for no other reason", async () => {
  await ensureStreams(nc, ["final"], { ...defaultLimits, EVENTS_MAX_BYTES: mebibyte });
  const pressure = new BackPressure(nc, "CASINO_EVENTS", "archiver", silent, 20);
  onTestFinished(() => pressure.close());
  const js = jsm.jetstream();
  const publish = async (times: number) => {
    for (let time = 0; time < times; time++) await js.publish(subject, "x".repeat(10_000));
  };
  // Nobody reads: there is nothing to wait for.
  await publish(80);
  await jsm.consumers.add("CASINO_EVENTS", { durable_name: "logger", ack_policy: "explicit" });
  await jsm.consumers.add("CASINO_EVENTS", {
    durable_name: "archiver",
    ack_policy: "explicit",
    deliver_policy: "new",
  });
  await publish(50);
  expect(pressure.problem).toBeUndefined();
  await publish(10);
  // It may have looked in the middle of the ten.
  await waitFor(() => pressure.problem?.includes(" 60 events "));
  expect(pressure.problem).toMatch(
    /^final events wait: archiver is 60 events behind, about \d+ bytes of the 1048576 that CASINO_EVENTS keeps\./,
  );
  const archiver = await js.consumers.get("CASINO_EVENTS", "archiver");
  for await (const message of await archiver.fetch({ max_messages: 20, expires: 1_000 })) message.ack();
  await waitFor(() => pressure.problem === undefined);
});
