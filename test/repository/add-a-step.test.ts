import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectForTest } from "../harness/broker.ts";
import { copyOfProject } from "../harness/checkout.ts";
import { databaseForTest } from "../harness/infrastructure.ts";
import { lockedNatsForTest } from "../harness/locked-broker.ts";
import { prepareWithSamples } from "../harness/samples.ts";
import { serviceForTest } from "../harness/service.ts";
import { waitFor } from "../harness/wait-for.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/add-a-step.md"), "utf8");

test("a reader who follows docs/add-a-step.md gets a fourth step, also where events were waiting", async () => {
  // On the bus as nats.conf locks it down, which asks for no further line.
  const nats = await lockedNatsForTest("operator");
  const { nc, jsm } = await connectForTest(nats.server);
  const env = {
    NATS_URL: nats.as("enricher"),
    DATABASE_URL: await databaseForTest(),
    RATES_URL: "http://127.0.0.1:9/", // nobody is there, and deposits of euros need nobody
  };
  await prepareWithSamples(env.DATABASE_URL);
  const deposit = (id: number) =>
    nc.publish(
      "casino.event.raw.casino",
      `{"id":${id},"type":"deposit","player_id":11,"amount":500,"currency":"EUR","created_at":"2022-02-02T23:45:00Z"}`,
    );

  // The version without the step, of which one event is left before the last step.
  const former = await serviceForTest("enricher", { ...env, STEPS: "description" });
  await former.stop();
  const upstream = await serviceForTest("enricher", { ...env, STEPS: "currency,player" });
  deposit(1);
  await waitFor(async () => (await jsm.streams.info("CASINO_PROFILED")).state.messages === 1);
  await upstream.stop();

  await serviceForTest("enricher", env, checkoutAsThePageSays());
  deposit(2);
  await waitFor(async () => (await jsm.streams.info("CASINO_EVENTS")).state.messages === 2);
  const [, promised] = /^(Player #11 .*)$/m.exec(page) ?? [];
  for (const seq of [1, 2]) {
    const stored = await jsm.streams.getMessage("CASINO_EVENTS", { seq });
    expect(stored?.json()).toMatchObject({
      player: { email: "j***@example.com" },
      description: promised,
    });
  }
  for (const stage of ["CASINO_PROFILED", "CASINO_MASKED"])
    await waitFor(async () => (await jsm.streams.info(stage)).state.messages === 0);
  expect(nats.violations()).toEqual([]);
});

/** A copy of this project with the page's file written and its lines added, after its types were checked. */
function checkoutAsThePageSays(): string {
  const copy = copyOfProject();
  const [, file = "", source = ""] = /^`(internal\/\S+)`\n\n```ts\n(.*?)^```$/ms.exec(page) ?? [];
  writeFileSync(join(copy, file), source);
  const list = join(copy, "internal/enrichment/pipeline.ts");
  const changed = [...page.matchAll(/^```diff\n(.*?)^```$/gms)].reduce(
    (text, [, diff = ""]) => applied(text, diff),
    readFileSync(list, "utf8"),
  );
  writeFileSync(list, changed);

  const types = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--noEmit"], {
    cwd: copy,
    encoding: "utf8",
  });
  expect(types.stdout + types.stderr).toBe("");
  return copy;
}

/** The text with a diff's added lines among its kept ones; at the top where it keeps none. */
function applied(text: string, diff: string): string {
  const lines = diff.trimEnd().split("\n");
  const after = lines.map((line) => line.slice(1)).join("\n");
  const before = lines.filter((line) => line.startsWith(" ")).map((line) => line.slice(1));
  if (before.length === 0) return `${after}\n${text}`;
  expect(text).toContain(before.join("\n"));
  return text.replace(before.join("\n"), after);
}
