import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { usualData } from "../service/running-up.ts";
import { type Endpoint, type Infrastructure, shownUrl } from "./infrastructure.ts";
import { curlLine } from "./sample-key.ts";

export interface BannerFacts {
  readonly infrastructure: Infrastructure;
  readonly rates: Endpoint;
  readonly port: number;
  /** The port of the service on `--port`; undefined if there is none. */
  readonly front: string | undefined;
  /** A fresh API key for that service, if it asks for keys. */
  readonly key: string | undefined;
  /** A code that signs a browser in to the dashboard, once. */
  readonly code: string | undefined;
  /** Whether the aggregates need the key too. */
  readonly figuresWantKey: boolean;
  /** The HTTP ports of the other services. */
  readonly ports: ReadonlyMap<string, number>;
  /** Services that do not answer yet, with what they lack. */
  readonly unready: ReadonlyMap<string, string>;
  readonly data: string;
  /** The lines about the casinos of `--demo`; empty without it. */
  readonly demo: readonly string[];
  /** Whether anonymous NATS connections are read-only. */
  readonly strict: boolean;
}

/** The text that `up` writes to stderr once everything runs: no colours, with commands to copy. */
export function banner(facts: BannerFacts): string {
  const { nats, postgres, redis } = facts.infrastructure;
  const server = nats.port === 4222 ? "" : ` --server ${shownUrl(nats)}`;
  const lines = [
    facts.unready.size === 0
      ? "Croupier is up. Final events go to stdout; Ctrl-C stops everything."
      : "Croupier is up, but some of it is not ready yet. Ctrl-C stops everything.",
    "",
    ...(facts.code === undefined
      ? []
      : [`  dashboard: http://127.0.0.1:${facts.port}/#code=${facts.code}`, ""]),
    ...(facts.key === undefined ? [] : [`  ${curlLine(facts.port, facts.key)}`]),
    ...figures(facts),
    `  nats${server} sub 'casino.>'`,
    `  nats${server} req casino.materialized ''`,
    ...exported(facts),
    "",
    ...facts.demo,
    `  NATS      ${describe(nats)}`,
    `  Postgres  ${describe(postgres)}`,
    `  Redis     ${describe(redis)}`,
    `  rates     ${describe(facts.rates)}`,
    `  HTTP      ${[...facts.ports].map(([name, port]) => `${name} ${port}`).join(", ") || "none"}`,
    `  data      ${facts.data}`,
    ...[...facts.unready].map(([name, what]) => `  not ready: ${name}: ${what}`),
  ];
  return `\n${lines.join("\n")}\n\n`;
}

/** The banner's file, beside the data: events push the banner off a terminal within seconds. */
export const bannerFile = "banner.txt";

/**
 * Writes the banner to a file that only this user can read, because it contains a key and passwords.
 *
 * @param data the folder for the file
 * @returns a function that deletes the file
 */
export function keepBanner(data: string, text: string): () => void {
  const file = join(data, bannerFile);
  // A file that a killed `up` left behind would keep its mode.
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function figures({ front, port, key, figuresWantKey }: BannerFacts): readonly string[] {
  if (front === undefined || (figuresWantKey && key === undefined)) return [];
  return [
    `  curl http://127.0.0.1:${port}/materialized${figuresWantKey ? ` -H 'Authorization: Bearer ${key}'` : ""}`,
  ];
}

/**
 * The variables that one more service in another terminal needs for the servers of this `up`. Servers that were given
 * are left out, because their owner knows them. Commands (`clients`, `dead-letters`, `prove`, …) find this `up` by its
 * data.
 */
function exported({
  infrastructure: { nats, postgres, redis },
  rates,
  strict,
  data,
}: BannerFacts): readonly string[] {
  const ours = [
    ...(nats.port === undefined
      ? []
      : [strict ? `NATS_URL="$(cat '${join(data, "nats/operator-url")}')"` : `NATS_URL=${nats.url}`]),
    // Showing the password is safe: it is the same for every sample, and Postgres listens only on loopback.
    ...(postgres.port === undefined ? [] : [`DATABASE_URL=${postgres.url}`]),
    ...(redis.port === undefined ? [] : [`REDIS_URL=${redis.url}`]),
    ...(rates.port === undefined ? [] : [`RATES_URL=${rates.url}`]),
  ];
  return [
    ...(ours.length === 0
      ? []
      : [`  export ${ours.join(" ")}  # for one more service: HTTP_PORT=0 npm run enricher`]),
    // Commands look in the default folder.
    ...(data === resolve(usualData()) ? [] : [`  export CROUPIER_DATA='${data}'  # for commands`]),
  ];
}

function describe(endpoint: Endpoint): string {
  return `${shownUrl(endpoint)} (${endpoint.note})`;
}
