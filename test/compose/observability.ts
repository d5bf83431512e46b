import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { waitFor } from "../harness/wait-for.ts";
import type { Project } from "./project.ts";
import { check } from "./report.ts";

/** Those that Prometheus looks at, each by the name that Compose gives it in the network. */
const scraped = ["archiver", "enricher", "gateway", "logger", "materializer", "sender"];

/** Prometheus' answer to a query for one number. */
interface Vector {
  readonly data: { readonly result: readonly { readonly value: readonly [time: number, value: string] }[] };
}
interface Rules {
  readonly groups: readonly { readonly rules: readonly unknown[] }[];
}
interface Search {
  readonly traces?: readonly { readonly rootTraceName: string }[];
}

/** The profile of that name: metrics, alerts, traces, and Grafana, which asks for them all. */
export async function checkObservability(project: Project): Promise<void> {
  await check("everything comes up", () => project.compose("up", "--wait").then(() => undefined));
  await check("Prometheus scrapes every service", async () => {
    const up = `${project.prometheus}/api/v1/query?query=sum(up{job="croupier"})`;
    await waitFor(async () => only(await ask<Vector>(up)) === scraped.length, {
      what: `${scraped.join(", ")} to be up`,
    });
    return scraped.join(", ");
  });
  await check("and watches over our alerts", async () => {
    const { data } = await ask<{ data: Rules }>(`${project.prometheus}/api/v1/rules`);
    const file = readFileSync(join(import.meta.dirname, "../../observability/alerts.yml"), "utf8");
    const ours = parse(file) as Rules; // our own file
    assert.equal(count(data), count(ours));
    return `${count(data)} rules`;
  });
  await check("Grafana has the dashboard", async () => {
    const all = `${project.grafana}/api/search?type=dash-db`;
    const found = await waitFor(() => ask<readonly { uid: string }[]>(all), { what: "Grafana to answer" });
    assert.deepEqual(
      found.map(({ uid }) => uid),
      ["croupier"],
    );
  });
  const source = (uid: string) => `${project.grafana}/api/datasources/proxy/uid/${uid}`;
  await check("it asks Prometheus", async () => {
    const done = `${source("prometheus")}/api/v1/query?query=sum(croupier_events_total)`;
    assert.ok(only(await ask<Vector>(done)) > 0);
  });
  await check("and Tempo, which has an event's trace from the generator to the archive", async () => {
    // The archiver's span lies below the generator's, however many are between them.
    const hops =
      '{ resource.service.name = "croupier-generator" } >> { resource.service.name = "croupier-archiver" }';
    const search = `${source("tempo")}/api/search?q=${encodeURIComponent(hops)}`;
    const traces = await waitFor(
      async () => {
        const { traces: found = [] } = await ask<Search>(search);
        return found.length > 0 && found;
      },
      { what: "a trace" },
    );
    return `${traces.length} of them, such as ${traces[0]?.rootTraceName}`;
  });
}

const only = ({ data }: Vector) => Number(data.result[0]?.value[1]);
const count = ({ groups }: Rules) => groups.flatMap(({ rules }) => rules).length;

/** What an API answers, in its own form. Throws when it is no success. */
async function ask<Answer>(url: string): Promise<Answer> {
  const response = await fetch(url);
  assert.ok(response.ok, `${url} answers ${response.status}`);
  return (await response.json()) as Answer; // as its documentation says
}
