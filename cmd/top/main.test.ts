import { expect, test } from "vitest";
import { spoken, statusOf, workOf } from "../../internal/overview/status.fixture.ts";
import { brokerForTest } from "../../test/harness/broker.ts";
import { runForTest } from "../../test/harness/service.ts";

const { server, nc } = await brokerForTest();
const env = { NATS_URL: server.url };

/** Services as the bus hears them, until it is called. */
function speaking(): () => void {
  const steps = { currency: workOf({ rate: 40, p99_ms: 12.3 }), player: workOf({ rate: 40 }) };
  const statuses = [
    statusOf("enricher", { work: { ...steps, description: workOf({ rate: 38 }) } }),
    statusOf("archiver", { ready: false, problems: ["postgres: \u001b[31maway"] }),
  ];
  const timer = setInterval(() => {
    for (const status of statuses) nc.publish(...spoken(status));
  }, 100);
  return () => clearInterval(timer);
}

test("shows once what the services say, as plain lines into a pipe", async () => {
  const stop = speaking();
  const said = await runForTest("top", ["--once"], env);
  stop();
  expect(said).toMatch(/^\d\d:\d\d:\d\d UTC {3}38 events\/s {3}\? waiting {3}0 dead letters {3}\? events$/m);
  expect(said).toMatch(/^currency +running +40 +12 +0 +1 +0 +0$/m);
  expect(said).toMatch(/^logger +NOT RUNNING/m);
  expect(said).toMatch(/^logger +does not run: npm run logger$/m);
  expect(said).toMatch(/^archiver +not ready/m);
  expect(said).toContain("postgres: \\u001b[31maway");
  expect(said).not.toContain("\u001b");
  expect(said).toContain("No materializer answers.");
  expect(said).not.toContain("No service reports");
});

test("where no service reports it names the server that it asked", async () => {
  const said = await runForTest("top", ["--once"], env);
  expect(said).toContain(`No service reports at ${server.url}: start one there, or set NATS_URL.\n`);
});

test("with --json it is one object, the same as the dashboard has", async () => {
  const stop = speaking();
  const view = JSON.parse(await runForTest("top", ["--once", "--json"], env));
  stop();
  expect(
    view.picture.steps.map(({ name, health }: { name: string; health: string }) => [name, health]),
  ).toEqual([
    ["currency", "up"],
    ["player", "up"],
    ["description", "up"],
  ]);
});
