import type { Bench } from "./environment.ts";
import type { Percentiles } from "./load/percentiles.ts";

/** Sends events; resolves once CASINO_RAW has stored all of them. */
export type Feed = (count: number) => Promise<void>;

/**
 * One by one from the generator, as fast as the broker acknowledges.
 * @param from the services' account, in which the broker's limit is measured, or an account of its own as producers have
 */
export function generatorFeed(bench: Bench, from: "inside" | "outside"): Feed {
  const env = from === "inside" ? { NATS_URL: bench.env.NATS_URL ?? "" } : {};
  return async (count) => {
    await bench.run("generator", ["--rate", "1000000", "--count", String(count), "--seed", "1"], env);
  };
}

/** The output of `load/http.ts`. */
export interface HttpLoad extends Percentiles {
  readonly perSecond: number;
  readonly refused: number;
}

export interface HttpLoadOptions {
  readonly url: string;
  readonly key: string;
  readonly count: number;
  readonly batch: number;
  readonly connections: number;
  readonly firstId: number;
  readonly form?: "json" | "ndjson";
  readonly players?: number;
}

/** Posts events from a separate process. */
export async function httpLoad(
  bench: Bench,
  { url, key, count, batch, connections, firstId, form = "json", players = 0 }: HttpLoadOptions,
): Promise<HttpLoad> {
  const output = await bench.program("load/http.ts", {
    ...{ URL: url, KEY: key, FORM: form },
    ...{ COUNT: String(count), BATCH: String(batch), CONNECTIONS: String(connections) },
    ...{ FIRST_ID: String(firstId), PLAYERS: String(players) },
  }).output;
  return JSON.parse(output) as HttpLoad; // what load/http.ts writes
}

/** Arrays of 100 over HTTP through one gateway, 8 requests at once. */
export function arraysFeed(bench: Bench, gatewayUrl: string, key: string, players?: number): Feed {
  let nextId = 1;
  return async (count) => {
    const firstId = nextId;
    nextId += count;
    const more = players === undefined ? {} : { players };
    await httpLoad(bench, {
      ...{ url: `${gatewayUrl}/events`, key, count, firstId },
      ...{ batch: 100, connections: 8 },
      ...more,
    });
  };
}

/** A key of client `casino` whose events have this source. */
export async function newKey(bench: Bench): Promise<string> {
  const source = `bench-${Date.now().toString(36)}`;
  const said = await bench.run("clients", ["keys", "create", "casino", source, "--expiry", "12h"]);
  return /cr_\w+/.exec(said)?.[0] ?? "";
}

/** A limit beyond any benchmark. */
export const gatewayWithoutLimit = { RATE_LIMIT: "1000000" };
