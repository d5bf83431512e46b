import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { parse, stringify } from "yaml";
import { freePort } from "../../internal/local/free-port.ts";
import { installOnDebian } from "./debian-package.ts";
import { read } from "./docs-table.ts";
import { stopAtEnd } from "./guard.ts";
import { tempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

/** promtool and prometheus; on Debian as root they are installed where they are missing, as `.ci/run` does. */
export async function ensurePrometheus(): Promise<void> {
  const isThere = () => ["promtool", "prometheus"].every((name) => onPath(name));
  if (!isThere()) await installOnDebian("prometheus");
  if (!isThere())
    throw new Error("promtool is missing: install Prometheus (Debian: apt-get install prometheus)");
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? "").split(":").some((dir) => existsSync(join(dir, name)));
}

/**
 * A real Prometheus with these rules that looks at these hosts each second; closed after the test. Resolves once it has seen all of them.
 * @returns asks its API: the answer to a path below `/api/v1/`, as JSON text
 */
export async function prometheusForTest(
  targets: readonly string[],
  rulesFile: string,
): Promise<(path: string) => Promise<string>> {
  const dir = tempFolder("prometheus");
  const config = parse(read("observability/prometheus.yml")) as Record<string, unknown>; // our own file
  writeFileSync(
    join(dir, "prometheus.yml"),
    stringify({
      ...config,
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [rulesFile],
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
  await waitFor(async () => (await ask("query?query=sum(up)")).includes(`,"${targets.length}"]`));
  return ask;
}
