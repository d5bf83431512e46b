import { expect, test } from "vitest";
import { connectForTest } from "../../test/harness/broker.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { runForTest, serviceForTest } from "../../test/harness/service.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

test("config drift in the broker is warned of once, shown by readiness, and stops nothing", async () => {
  const nats = await natsForTest();
  const { jsm } = await connectForTest(nats);
  await jsm.streams.add({ name: "AUDIT", subjects: ["casino.*"] });
  const env = { NATS_URL: nats.url, DATABASE_URL: await databaseForTest(), STEPS: "description" };
  await runForTest("migrate", [], env);
  const enricher = await serviceForTest("enricher", env);
  const warnings = await waitFor(async () => {
    const answer = await fetch(`${enricher.url}/readyz`);
    expect(answer.status).toBe(200);
    const { warnings = [] } = (await answer.json()) as { warnings?: readonly string[] }; // our own answer
    return warnings.length === 2 && warnings;
  });
  expect(warnings).toEqual([
    expect.stringMatching(/^stream AUDIT takes casino.materialized/),
    expect.stringMatching(/^producers have to be trusted: /),
  ]);
  const said = enricher
    .errors()
    .split("\n")
    .filter((line) => line.includes("AUDIT"));
  expect(said.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ level: "warn" })]);
  await enricher.stop();
  expect(await enricher.exited()).toBe("exit code 0");
});
