import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { read, table } from "../harness/docs-table.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { ensurePrometheus, prometheusForTest } from "../harness/prometheus.ts";
import { serviceForTest } from "../harness/service.ts";
import { waitFor } from "../harness/wait-for.ts";

const folder = join(import.meta.dirname, "../../observability");
const run = promisify(execFile);

ensurePrometheus();

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}
const { groups } = parse(read("observability/alerts.yml")) as {
  groups: readonly { rules: readonly Rule[] }[];
}; // our own file
const rules = groups.flatMap((group) => group.rules);

describe("the alerts", () => {
  test("pass promtool, and come and go with their conditions", async () => {
    await run("promtool", ["check", "rules", "alerts.yml"], { cwd: folder });
    await run("promtool", ["check", "config", "prometheus.yml"], { cwd: folder });
    await run("promtool", ["test", "rules", "alerts.test.yml"], { cwd: folder });
    for (const { alert } of rules)
      expect(read("observability/alerts.test.yml")).toContain(`alertname="${alert}"`);
  });

  test.each(rules)("$alert links to a section of the runbook", ({ alert, annotations }) => {
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    expect(read("docs/runbook.md")).toContain(`\n## ${alert}\n`);
  });

  test("and the dashboard of Grafana ask only for metrics that there are", () => {
    const known = table("docs/metrics.md", "All of them").map(([name]) => name);
    const dashboards = readdirSync(join(folder, "grafana/dashboards")).map((file) =>
      read(`observability/grafana/dashboards/${file}`),
    );
    const asked = [...rules.map(({ expr }) => expr), ...dashboards].flatMap(
      (text) => text.match(/\bcroupier_\w+/g) ?? [],
    );
    expect(asked.length).toBeGreaterThan(20);
    const bare = asked.map((name) =>
      known.includes(name) ? name : name.replace(/_(bucket|sum|count)$/, ""),
    );
    expect(bare.filter((name) => !known.includes(name))).toEqual([]);
  });
});

test("Prometheus scrapes running services, and an alert fires there", async () => {
  const { env, nc } = await pipelineForTest();
  const services = await Promise.all(
    (["enricher", "gateway", "materializer", "logger", "archiver"] as const).map((name) =>
      serviceForTest(name, env),
    ),
  );
  for (const { url } of services) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const check = run("promtool", ["check", "metrics"]);
    check.child.stdin?.end(metrics);
    expect((await check).stderr).toBe("");
  }

  const rulesFile = join(folder, "alerts.yml");
  const ask = await prometheusForTest(
    services.map(({ url }) => new URL(url).host),
    rulesFile,
  );
  // Its series are there from the start: else there would be no increase to see.
  await waitFor(async () =>
    (await ask("query?query=croupier_dead_letters_total")).includes('"reason":"invalid_json"'),
  );
  nc.publish("casino.event.raw.casino", "no JSON");
  await waitFor(async () =>
    /"alertname":"CroupierDeadLetters","reason":"invalid_json".*?"state":"firing"/.test(await ask("alerts")),
  );
});
