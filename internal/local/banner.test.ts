import { expect, test } from "vitest";
import { type BannerFacts, banner } from "./banner.ts";

const url = "postgres://casino:casino@127.0.0.1:5433/casino";
function facts(natsPort: number | undefined, postgresPort: number | undefined, strict = false): BannerFacts {
  const server = (port: number | undefined, url: string) => ({ url, note: "", ...(port && { port }) });
  return {
    infrastructure: {
      nats: server(natsPort, `nats://127.0.0.1:${natsPort ?? 4222}`),
      postgres: server(postgresPort, url),
      redis: { url: undefined, note: "" },
    },
    rates: { url: undefined, note: "" },
    port: 3000,
    front: "gateway",
    key: undefined,
    ports: new Map(),
    unready: new Map(),
    data: "/data",
    strict,
  };
}
const exported = (of: BannerFacts) => banner(of).match(/export (.*?) {2}#/)?.[1];

test("says what the other commands need to be told, and only where our servers are not where they look", () => {
  expect(exported(facts(4222, 5432))).toBeUndefined();
  expect(exported(facts(undefined, undefined))).toBeUndefined();
  expect(exported(facts(4333, 5432))).toBe("NATS_URL=nats://127.0.0.1:4333");
  expect(exported(facts(4333, 5433))).toBe(`NATS_URL=nats://127.0.0.1:4333 DATABASE_URL=${url}`);
  expect(exported(facts(4333, 5433, true))).toBe(`DATABASE_URL=${url}`);
});
