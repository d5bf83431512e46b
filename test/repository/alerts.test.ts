import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { read, table } from "../harness/docs-table.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { ensurePrometheus } from "../harness/prometheus.ts";
import { serviceForTest } from "../harness/service.ts";

const folder = join(import.meta.dirname, "../../observability");
const run = promisify(execFile);

await ensurePrometheus();

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

test("promtool finds nothing wrong with the metrics of running services", async () => {
  const { env } = await pipelineForTest();
  const names = ["enricher", "gateway", "materializer", "logger", "archiver"] as const;
  for (const { url } of await Promise.all(names.map((name) => serviceForTest(name, env)))) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const check = run("promtool", ["check", "metrics"]);
    check.child.stdin?.end(metrics);
    expect((await check).stderr).toBe("");
  }
});
