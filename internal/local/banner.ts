import { type Endpoint, type Infrastructure, shownUrl } from "./infrastructure.ts";
import { curlLine } from "./sample-key.ts";

export interface BannerFacts {
  readonly infrastructure: Infrastructure;
  readonly rates: Endpoint;
  readonly port: number;
  /** The service that listens on `port`; undefined when none does. */
  readonly front: string | undefined;
  /** A fresh API key for it, if it asks for keys. */
  readonly key: string | undefined;
  /** The HTTP ports of the other services. */
  readonly ports: ReadonlyMap<string, number>;
  /** Services that do not answer yet, with what they lack. */
  readonly unready: ReadonlyMap<string, string>;
  readonly data: string;
  /** Without credentials its NATS lets people only look. */
  readonly strict: boolean;
}

/** What `up` says on stderr once everything runs: plain text, no colours, commands that can be copied. */
export function banner(facts: BannerFacts): string {
  const { nats, postgres, redis } = facts.infrastructure;
  const server = nats.port === 4222 ? "" : ` --server ${shownUrl(nats)}`;
  const lines = [
    facts.unready.size === 0
      ? "Croupier is up. Final events go to stdout; Ctrl-C stops everything."
      : "Croupier is up, but not all of it is ready yet. Ctrl-C stops everything.",
    "",
    ...(facts.key === undefined ? [] : [`  ${curlLine(facts.port, facts.key)}`]),
    ...(facts.front === undefined ? [] : [`  curl http://127.0.0.1:${facts.port}/materialized`]),
    `  nats${server} sub 'casino.>'`,
    `  nats${server} req casino.materialized ''`,
    ...exported(facts),
    "",
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

/** What the other commands (`npm run dead-letters`, `prove`, `clients`) need to be told, where our servers are not where they look. */
function exported({ infrastructure: { nats, postgres }, strict }: BannerFacts): readonly string[] {
  const elsewhere = [
    ...(nats.port === undefined || nats.port === 4222 || strict ? [] : [`NATS_URL=${nats.url}`]),
    // Its password is the one of every sample, and it listens on loopback.
    ...(postgres.port === undefined || postgres.port === 5432 ? [] : [`DATABASE_URL=${postgres.url}`]),
  ];
  return elsewhere.length === 0
    ? []
    : [`  export ${elsewhere.join(" ")}  # for npm run dead-letters, prove, …`];
}

function describe(endpoint: Endpoint): string {
  return `${shownUrl(endpoint)} (${endpoint.note})`;
}
