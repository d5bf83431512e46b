import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type BannerFacts, banner, bannerFile, keepBanner } from "./banner.ts";

const data = resolve(".data");
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
    code: undefined,
    figuresWantKey: false,
    ports: new Map(),
    unready: new Map(),
    data,
    demo: [],
    strict,
  };
}
const exported = (of: BannerFacts) => banner(of).match(/export (.*?) {2}#/)?.[1];

test("says what one more service needs to be told of what is ours", () => {
  const nats = "NATS_URL=nats://127.0.0.1:4333";
  expect(exported(facts(undefined, undefined))).toBeUndefined();
  expect(exported(facts(4333, undefined))).toBe(nats);
  expect(exported(facts(4333, 5433))).toBe(`${nats} DATABASE_URL=${url}`);
  expect(exported(facts(4333, undefined, true))).toBe(`NATS_URL="$(cat '${data}/nats/operator-url')"`);
  const all = facts(4333, 5433);
  const redis = { url: "redis://127.0.0.1:6380", port: 6380, note: "" };
  const rates = { url: "http://127.0.0.1:9/latest", port: 9, note: "" };
  const infrastructure = { ...all.infrastructure, redis };
  expect(exported({ ...all, infrastructure, rates })).toBe(
    `${nats} DATABASE_URL=${url} REDIS_URL=redis://127.0.0.1:6380 RATES_URL=http://127.0.0.1:9/latest`,
  );
  expect(
    exported({ ...facts(undefined, undefined), rates: { url: "https://rates.example", note: "" } }),
  ).toBeUndefined();
});

test("says where its data lies when commands would not look there", () => {
  expect(banner(facts(4333, 5433))).not.toContain("CROUPIER_DATA");
  expect(banner({ ...facts(4333, 5433), data: "/elsewhere" })).toContain(
    "  export CROUPIER_DATA='/elsewhere'  # for commands\n",
  );
});

test("asks for figures as the gateway wants it: with the key where it needs one, not at all where there is none", () => {
  const asked = (more: Partial<BannerFacts>) =>
    banner({ ...facts(4222, 5432), ...more }).match(/curl (\S+\/materialized.*)/)?.[1];
  const url = "http://127.0.0.1:3000/materialized";
  expect(asked({ key: "cr_1" })).toBe(url);
  expect(asked({ key: "cr_1", figuresWantKey: true })).toBe(`${url} -H 'Authorization: Bearer cr_1'`);
  expect(asked({ figuresWantKey: true })).toBeUndefined();
  expect(asked({ front: undefined })).toBeUndefined();
});

test("is kept for its user alone, also where one was left behind, until it is taken away", () => {
  const data = mkdtempSync(join(tmpdir(), "banner-"));
  onTestFinished(() => rmSync(data, { recursive: true }));
  const file = join(data, bannerFile);
  writeFileSync(file, "an older one, which is longer", { mode: 0o644 });
  const takeBack = keepBanner(data, "the new one");
  expect(readFileSync(file, "utf8")).toBe("the new one");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  takeBack();
  expect(existsSync(file)).toBe(false);
});
