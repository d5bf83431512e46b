import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { silent } from "../harness/broker.ts";
import { browserForTest } from "../harness/browser.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { runForTest, serviceForTest } from "../harness/service.ts";
import { waitFor } from "../harness/wait-for.ts";

const { env } = await pipelineForTest();
const [gateway, browser] = await Promise.all([serviceForTest("gateway", env), browserForTest()]);

/** An operator's page that shows live data, and keeps its streams in `streams`. */
async function livePage(): Promise<Page> {
  const code = (await runForTest("clients", ["sign-in"], env)).trim();
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.addInitScript(`
    window.streams = [];
    window.EventSource = class extends EventSource {
      constructor(url) { super(url); streams.push(this); }
    };`);
  await page.goto(`${gateway.url}/#code=${code}`);
  await page.getByText("live", { exact: true }).waitFor();
  return page;
}

test("a page whose session ends while the gateway is away asks to sign in", async () => {
  const page = await livePage();
  const db = connectPostgres(env.DATABASE_URL, "test", silent);
  onTestFinished(() => db.destroy());
  await gateway.stop();
  await db.deleteFrom("sessions").execute();
  await gateway.start();
  await page.getByText("Your session has ended.").waitFor({ timeout: 20_000 });
});

test("a page that asks for another stream while it waits to try again has one stream", async () => {
  const page = await livePage();
  await page.route("**/dashboard/stream*", (route) => route.fulfill({ status: 503, json: {} }));
  const watch = page.getByRole("button", { name: "Watch events" });
  await watch.click();
  const streams = () =>
    page.evaluate<readonly number[]>("streams.map(({ readyState }) => readyState)").then((states) => ({
      open: states.filter((state) => state === 1).length,
      all: states.length,
    }));
  await waitFor(async () => (await streams()).all === 2);
  await page.getByText("disconnected", { exact: true }).waitFor();
  await page.unroute("**/dashboard/stream*");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("live", { exact: true }).waitFor();
  // As long as until it would have tried again.
  await page.waitForTimeout(2_500);
  expect(await streams()).toEqual({ open: 1, all: 3 });
});

test("a late answer to an earlier filter does not take the place of the present one's", async () => {
  const page = await livePage();
  const delivery = { id: "1", at: "2026-01-01T00:00:00Z", outcome: "failed", attempt: 1, duration_ms: 1 };
  const late = Promise.withResolvers<void>();
  await page.route("**/deliveries?*", async (route) => {
    const isFirst = route.request().url().includes("outcome=failed");
    if (isFirst) await late.promise;
    const event_type = isFirst ? "late" : "right";
    await route.fulfill({ json: { deliveries: [{ ...delivery, event_type }], next_cursor: null } });
  });
  await page.getByRole("link", { name: "Deliveries" }).click();
  const outcome = page.getByLabel("Outcome");
  await outcome.selectOption("failed");
  await outcome.selectOption("delivered");
  await page.getByText("right").waitFor();
  const answered = page.waitForResponse((response) => response.url().includes("outcome=failed"));
  late.resolve();
  await (await answered).finished();
  await page.waitForTimeout(200);
  expect(await page.locator("tbody").innerText()).toContain("right");
});
