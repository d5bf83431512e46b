import { randomBytes } from "node:crypto";
import axe from "axe-core";
import type { BrowserContextOptions, Page } from "playwright-core";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../internal/local/free-port.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { defaultSettings } from "../../internal/webhooks/destination.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { silent } from "../harness/broker.ts";
import { browserForTest } from "../harness/browser.ts";
import { keyForTest, pipelineForTest } from "../harness/pipeline.ts";
import { runForTest, serviceForTest } from "../harness/service.ts";
import { waitFor } from "../harness/wait-for.ts";

const { nc, env: servers } = await pipelineForTest();
const secret = randomBytes(32);
const env = {
  ...servers,
  DELIVERY_KEY: secret.toString("base64"),
  DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
};
const [gateway, enricher, browser] = await Promise.all([
  serviceForTest("gateway", env),
  serviceForTest("enricher", env),
  browserForTest(),
  serviceForTest("materializer", env),
]);
await runForTest("clients", ["add", "lucky"], env);

let id = 0;
const deposit = (player_id: number, more: object = {}) =>
  JSON.stringify({
    ...{ id: ++id, player_id, type: "deposit", amount: 500, currency: "EUR" },
    ...{ created_at: "2022-03-03T12:12:00Z", ...more },
  });
const publish = (client: string, event: string) => nc.publish(`casino.event.raw.${client}`, event);

/** A browser of its own, on an empty page; what goes wrong in it fails the test. */
async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(gateway.url)) wrong.push(`it asks ${request.url()}`);
  });
  onTestFinished(async () => {
    await context.close();
    expect(wrong).toEqual([]);
  });
  return page;
}

/** The page of who came by a link with a fresh code. */
async function signedIn(
  { client, path = "" }: { readonly client?: string; readonly path?: string } = {},
  options: BrowserContextOptions = {},
): Promise<Page> {
  const code = (await runForTest("clients", ["sign-in", ...(client ? [client] : [])], env)).trim();
  const page = await newPage(options);
  await page.goto(`${gateway.url}/#code=${code}`);
  await page.getByText("live", { exact: true }).waitFor();
  expect(page.url()).not.toContain("code");
  if (path !== "") await page.goto(`${gateway.url}/#/${path}`);
  return page;
}

const fact = (page: Page, name: string) => page.locator(".fact", { hasText: name }).locator(".value");
const numberIn = async (page: Page, name: string) =>
  Number((await fact(page, name).innerText()).replaceAll(",", ""));

beforeAll(async () => {
  for (let player = 10; player < 20; player++) publish("casino", deposit(player));
  publish("lucky", deposit(77));
  await nc.flush();
});

describe("an operator", () => {
  test("sees figures that move, with nothing to be loaded again", async () => {
    const page = await signedIn();
    await waitFor(async () => (await numberIn(page, "events in total")) >= 11);
    const before = await numberIn(page, "events in total");
    for (let more = 0; more < 5; more++) publish("casino", deposit(10));
    await waitFor(async () => (await numberIn(page, "events in total")) === before + 5);
    await page.getByRole("heading", { name: "Largest deposits" }).waitFor();
    await page.getByText("Player 10").first().waitFor();
    expect(
      await page.locator("[data-part]").evaluateAll((parts) => parts.map((part) => part.dataset.part)),
    ).toEqual([...["gateway", "currency", "player", "description", "materializer", "logger", "archiver"]]);
  });

  test("sees a step turn red that is stopped, and recover", async () => {
    const page = await signedIn();
    const currency = page.locator('[data-part="currency"]');
    await page.locator('[data-part="currency"][data-health="up"]').waitFor();
    await enricher.kill();
    await page.locator('[data-part="currency"][data-health="down"]').waitFor();
    expect(await currency.innerText()).toContain("not running");
    expect(await currency.innerText()).toContain("npm run enricher");
    // It stands before anything else, once for the three steps.
    const attention = page.locator(".attention li", { hasText: "npm run enricher" });
    expect(await attention.allInnerTexts()).toEqual([
      expect.stringMatching(/^enricher\s+is not running.* Start it: npm run enricher$/),
    ]);
    const top = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => element.getBoundingClientRect().top);
    expect(await top(".attention")).toBeLessThan(await top(".facts"));
    await enricher.start();
    await attention.waitFor({ state: "detached" });
    await page.locator('[data-part="currency"][data-health="up"]').waitFor();
  });

  test("finds a poisoned event, mends it and sends it again, by the keyboard alone", async () => {
    publish("casino", deposit(4_711, { amount: -5 }));
    const page = await signedIn();
    const press = async (key: string, times = 1) => {
      for (let time = 0; time < times; time++) await page.keyboard.press(key);
    };
    /** Goes on until the focus is on what has this name. */
    const tabTo = async (name: string | RegExp) => {
      const wanted = page.getByRole("link", { name }).or(page.getByRole("button", { name })).first();
      await wanted.waitFor();
      for (let tabs = 0; tabs < 80; tabs++) {
        if (await wanted.evaluate((element) => element.ownerDocument.activeElement === element)) return;
        await press("Tab");
      }
      throw new Error(`no Tab leads to ${name}`);
    };
    await page.locator("nav .badge", { hasText: "1" }).waitFor();
    await tabTo(/^Dead letters/);
    await press("Enter");
    await tabTo(/^Open letter/);
    await press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("/amount").first().waitFor();
    await tabTo("Dry run");
    await press("Enter");
    await dialog.getByText("It would fail").waitFor();
    await press("Shift+Tab", 2);
    await press("Control+a");
    await page.keyboard.insertText(deposit(4_711, { id, amount: 70_000_000 }));
    await tabTo("Dry run");
    await press("Enter");
    await dialog.getByText("It would pass now.").waitFor();
    await tabTo("Replay");
    await press("Enter");
    await page.getByText(/Letter \d+ was replayed/).waitFor();
    await page.getByText("No dead letters. Events").waitFor();
    await tabTo("Croupier");
    await press("Enter");
    await page.getByText("Player 4711").first().waitFor();
  });

  test("watches events as they pass, of the client and type that are chosen, and can hold them", async () => {
    const page = await signedIn();
    const sentences = () => page.locator(".tail .sentence").allInnerTexts();
    await page.getByRole("button", { name: "Watch events" }).click();
    await page.getByLabel("Type").fill("deposit");
    await page.getByLabel("Type").press("Enter");
    await page.locator(".controls select").selectOption("lucky");
    const emit = (player: number) => {
      publish("casino", deposit(player));
      publish("lucky", deposit(player, { type: "game_start", game_id: 100 }));
      publish("lucky", deposit(player));
    };
    // The stream opens anew with each filter: what passes before is nobody's.
    await waitFor(async () => {
      emit(501);
      return (await sentences()).length > 0;
    });
    const all = await page.locator(".tail li").allInnerTexts();
    for (const line of all) expect(line).toMatch(/deposit\s+lucky\s+Player #501 made a deposit/);
    await page.getByRole("button", { name: "Pause" }).click();
    const held = await sentences();
    emit(502);
    await page.getByLabel("Text").fill("no such thing");
    await page.getByText("No matching event yet").waitFor();
    await page.getByLabel("Text").fill("");
    await waitFor(async () => (await sentences()).length > 0);
    expect(await sentences()).toEqual(held);
    await page.getByRole("button", { name: "Pause" }).click();
    await waitFor(async () => {
      emit(502);
      return (await sentences()).some((sentence) => sentence.includes("#502"));
    });
  });
});

test("a client's key shows only what is the client's own", async () => {
  publish("casino", "poison");
  publish("lucky", "poison");
  const key = await keyForTest("lucky", "page", env);
  const page = await newPage();
  await page.goto(gateway.url);
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Player 77").first().waitFor();
  const shown = await page.locator("body").innerText();
  expect(shown).not.toMatch(/casino|Player 1\d\b|Pipeline|By client/);
  await page.locator("nav .badge", { hasText: /^1$/ }).waitFor();
  await page.getByRole("link", { name: /^Dead letters/ }).click();
  await page.getByRole("button", { name: /^Open letter/ }).waitFor();
  expect(await page.getByRole("button", { name: /^Open letter/ }).count()).toBe(1);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
});

test("an operator makes a key of a client on the page, and revokes it", async () => {
  const page = await signedIn({ path: "setup" });
  await page.getByLabel("Client").first().fill("lucky");
  await page.getByLabel("Source").fill("made-here");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = await page.locator(".secret").innerText();
  expect(key).toMatch(/^cr_\w+$/);
  const row = page.getByRole("row", { name: /made-here/ });
  await row.getByText("never expires").waitFor();
  await row.getByRole("button", { name: /^Revoke/ }).click();
  await row.getByRole("button", { name: /for good$/ }).click();
  await row.getByText(/^revoked/).waitFor();
});

test("says what to do where there is nothing yet, and warns of nothing", async () => {
  await runForTest("clients", ["add", "idle"], env);
  const page = await signedIn({ client: "idle" });
  const hint = page.getByText("No events yet. Send one with POST /events (API).");
  await hint.waitFor();
  publish("idle", deposit(10));
  await hint.waitFor({ state: "detached" });

  const setup = await signedIn({ path: "setup" });
  const rates = setup.getByRole("region", { name: "Rates" });
  await rates.getByText("No current rates. The enricher fetches them when an event needs one.").waitFor();
  expect(await rates.locator(".notice").count()).toBe(0);
});

test("a link works once, and says so the second time", async () => {
  const code = (await runForTest("clients", ["sign-in"], env)).trim();
  for (const expected of ["Pipeline", "was already used"]) {
    const page = await newPage();
    await page.goto(`${gateway.url}/#code=${code}`);
    await page.getByText(expected).waitFor();
  }
});

test("says that the gateway does not answer, and goes on by itself when it does", async () => {
  const page = await signedIn();
  await gateway.stop();
  await page.getByText("The gateway does not answer").waitFor();
  await gateway.start();
  await page.getByText("live", { exact: true }).waitFor();
});

test("tells on a narrow phone of a receiver that fails, and no view is wider than the screen", async () => {
  const db = connectPostgres(env.DATABASE_URL, "test", silent);
  onTestFinished(() => db.destroy());
  const url = `http://127.0.0.1:${await freePort()}/a-path-that-is-rather-long/and-goes-on`;
  const { id: destination } = await new Destinations(db, new SecretBox([secret])).create("lucky", {
    ...defaultSettings,
    url,
  });
  await serviceForTest("sender", env);
  publish("lucky", "poison");
  const page = await signedIn({}, { viewport: { width: 360, height: 740 } });
  const failing = page.locator(".attention li", { hasText: destination });
  await waitFor(async () => {
    publish("lucky", deposit(77));
    return (await failing.count()) > 0;
  });
  expect(await failing.innerText()).toMatch(/sender\s+Destination \w+ of lucky has only failed since/);
  for (const [view, shown] of [
    ["Overview", page.locator(".attention")],
    [/^Dead letters/, page.getByRole("button", { name: /^Open letter/ }).first()],
    ["Deliveries", page.locator(".badge", { hasText: "failed" }).first()],
    ["Setup", page.getByRole("heading", { name: "API keys" })],
  ] as const) {
    await page.locator("nav").getByRole("link", { name: view }).click();
    await shown.waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    expect(
      await page.evaluate(
        "document.querySelector('nav').scrollWidth <= document.querySelector('nav').clientWidth",
      ),
    ).toBe(true);
  }
});

describe.each(["light", "dark"] as const)("in the %s, axe finds nothing wrong", (colorScheme) => {
  const violations = async (page: Page): Promise<readonly string[]> => {
    // By the debugger's way, which the page's policy does not concern.
    await page.evaluate(axe.source);
    return page.evaluate(
      "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))",
    );
  };

  test.each([
    ["a wide screen", { width: 1_280, height: 900 }],
    ["a phone", { width: 390, height: 844 }],
  ])("on %s", async (_screen, viewport) => {
    publish("casino", "poison");
    const options = { colorScheme, viewport };
    const page = await newPage(options);
    await page.goto(gateway.url);
    await page.getByLabel("API key").waitFor();
    expect(await violations(page)).toEqual([]);
    const operator = await signedIn({}, options);
    await operator.getByText("Player 10").first().waitFor();
    expect(await violations(operator)).toEqual([]);
    await operator.getByRole("link", { name: /^Dead letters \d/ }).click();
    await operator
      .getByRole("button", { name: /^Open letter/ })
      .first()
      .click();
    await operator.getByText("must be JSON").first().waitFor();
    expect(await violations(operator)).toEqual([]);
    await operator.getByRole("button", { name: "Close" }).click();
    for (const [view, shown] of [
      ["Deliveries", "Destinations"],
      ["Setup", "API keys"],
    ] as const) {
      await operator.getByRole("link", { name: view }).click();
      await operator.getByRole("heading", { name: shown }).waitFor();
      expect(await violations(operator)).toEqual([]);
    }
    // Nothing is wider than the screen.
    expect(await operator.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  });
});
