import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { freePort } from "../../internal/local/free-port.ts";
import { read, table } from "../harness/docs-table.ts";
import { stopAtEnd } from "../harness/guard.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { serviceForTest } from "../harness/service.ts";
import { tempFolder } from "../harness/temp-folder.ts";
import { waitFor } from "../harness/wait-for.ts";

const folder = join(import.meta.dirname, "../../observability");
const run = promisify(execFile);

/** promtool and prometheus; on Debian as root they are installed where they are missing, as `.ci/run` does. */
function ensurePrometheus(): void {
  const isThere = () => ["promtool", "prometheus"].every((name) => onPath(name));
  if (isThere()) return;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    execFileSync("apt-get", ["update", "-qq"], { stdio: "ignore" });
    const install = ["install", "-qq", "-y", "--no-install-recommends", "prometheus"];
    execFileSync("apt-get", install, {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  }
  if (!isThere())
    throw new Error("promtool is missing: install Prometheus (Debian: apt-get install prometheus)");
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? "").split(":").some((dir) => existsSync(join(dir, name)));
}

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

  const dir = tempFolder("prometheus");
  const config = parse(read("observability/prometheus.yml")) as Record<string, unknown>; // our own file
  const targets = services.map(({ url }) => new URL(url).host);
  writeFileSync(
    join(dir, "prometheus.yml"),
    stringify({
      ...config,
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [join(folder, "alerts.yml")],
      scrape_configs: [{ job_name: "croupier", static_configs: [{ targets }] }],
    }),
  );
  const port = await freePort();
  const prometheus = spawn(
    "prometheus",
    [
      `--config.file=${join(dir, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  if (prometheus.pid !== undefined) stopAtEnd(prometheus.pid);
  onTestFinished(() => void prometheus.kill());
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).text();
  const up = async () => /"value":\[[\d.]+,"5"\]/.test(await ask("query?query=sum(up)"));
  await waitFor(up);
  // Its series are there from the start: else there would be no increase to see.
  await waitFor(async () =>
    (await ask("query?query=croupier_dead_letters_total")).includes('"reason":"invalid_json"'),
  );
  nc.publish("casino.event.raw.casino", "no JSON");
  await waitFor(async () =>
    /"alertname":"CroupierDeadLetters","reason":"invalid_json".*?"state":"firing"/.test(await ask("alerts")),
  );
});
