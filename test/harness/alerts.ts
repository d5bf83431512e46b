import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { read } from "./docs-table.ts";
import { prometheusForTest } from "./prometheus.ts";
import type { ServiceUnderTest } from "./service.ts";
import { tempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

/** Waits for alerts. A label's value tells one of several, such as the consumer; without it any of that name will do. */
export interface Alerts {
  readonly comes: (name: string, labels?: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly goes: (name: string, labels?: Readonly<Record<string, string>>) => Promise<unknown>;
}

/** The rules with a second for each minute, in their windows, their patience and their limits of a message's age. */
export function hurried(rules: string): string {
  return rules
    .replace(/\b(\d+)m\b/g, "$1s")
    .replace(/(_lag_seconds\{[^}]*\}\)) > (\d+)/g, (_all, of, seconds) => `${of} > ${Number(seconds) / 60}`);
}

/**
 * The alerts of a real Prometheus that looks at these services each second, by our rules in a hurry. It is closed after the test.
 * @param cleared the names of those that came and went are added to it
 */
export async function alertsForTest(
  services: readonly ServiceUnderTest[],
  cleared: Set<string>,
): Promise<Alerts> {
  const rulesFile = join(tempFolder("rules"), "alerts.yml");
  writeFileSync(rulesFile, hurried(read("observability/alerts.yml")));
  const ask = await prometheusForTest(
    services.map(({ url }) => new URL(url).host),
    rulesFile,
  );
  const fires = async (name: string, wanted: Readonly<Record<string, string>>): Promise<boolean> => {
    const { data } = JSON.parse(await ask("alerts")) as {
      data: { alerts: { labels: Record<string, string>; state: string }[] };
    }; // Prometheus's own form
    return data.alerts.some(
      ({ labels, state }) =>
        state === "firing" &&
        labels.alertname === name &&
        Object.entries(wanted).every(([label, value]) => labels[label] === value),
    );
  };
  const came = new Set<string>();
  return {
    comes: async (name, labels = {}) => {
      await waitFor(() => fires(name, labels), { what: `${name} to fire`, interval: 200 });
      came.add(name);
    },
    goes: async (name, labels = {}) => {
      await waitFor(async () => !(await fires(name, labels)), { what: `${name} to clear`, interval: 200 });
      if (came.has(name)) cleared.add(name);
    },
  };
}
