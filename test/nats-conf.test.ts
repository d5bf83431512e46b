import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { streamConfigs } from "../internal/jetstream/topology.ts";
import { natsRoles, passwordVariable } from "../internal/local/nats-users.ts";
import { defaultLimits } from "./harness/broker.ts";
import { read } from "./harness/docs-table.ts";
import { type LockedBroker, lockedNatsForTest, natsVersions } from "./harness/locked-broker.ts";
import { natsConfWith } from "./harness/nats-conf.ts";

const ca = readFileSync(join(import.meta.dirname, "harness/tls/ca.crt"), "utf8");

/** What the server says about itself, on the monitoring port, wherever that is. */
async function varz({ log }: LockedBroker): Promise<Record<string, Record<string, Record<string, unknown>>>> {
  const address = /Starting http monitor on (127\.0\.0\.1:\d+)/.exec(log())?.[1];
  return JSON.parse(await (await fetch(`http://${address}/varz`)).text());
}

test("it says which variables it needs, all of them and no others", () => {
  const text = read("nats.conf");
  const used = [...text.matchAll(/^[^#\n]*: \$(NATS_\w+)/gm)].map(([, name]) => name);
  expect(used.toSorted()).toEqual(
    ["NATS_STORE_DIR", "NATS_ANONYMOUS", ...natsRoles.map(passwordVariable)].sort(),
  );
  const said = /NATS_<ROLE>_PASSWORD of ([\s\S]*?):/.exec(text)?.[1]?.match(/\b[A-Z_]{4,}\b/g) ?? [];
  expect(said.toSorted()).toEqual(natsRoles.map((role) => passwordVariable(role).slice(5, -9)).sort());
});

describe.each(await natsVersions())("nats-server $version", ({ version, binary }) => {
  const isOld = version.startsWith("2.9.");

  test("keeps its data where it is told, has room for all streams, and is monitored from this machine only", async () => {
    const broker = await lockedNatsForTest("inspector", { binary });
    const { jetstream } = await varz(broker);
    const needed = streamConfigs(["raw", "priced", "profiled", "final"], defaultLimits, version)
      .map(({ max_bytes = 0 }) => max_bytes)
      .reduce((sum, bytes) => sum + bytes);
    expect(jetstream?.config?.max_storage).toBeGreaterThan(needed);
    expect(jetstream?.config?.store_dir).toMatch(/\/croupier-nats-\w+\/jetstream$/);
  });

  test(
    isOld
      ? "does not know how to sync each message, and says so"
      : "syncs each message where that is switched on",
    async () => {
      const start = lockedNatsForTest("inspector", { binary, config: natsConfWith("nats/sync-always.conf") });
      if (isOld) await expect(start).rejects.toThrow(/unknown field "sync_interval"/);
      else expect((await varz(await start)).jetstream?.config?.sync_always).toBe(true);
    },
  );

  test("speaks TLS only, where that is switched on", async () => {
    const { server, credentials } = await lockedNatsForTest(undefined, {
      binary,
      config: natsConfWith("nats/tls.conf"),
      tls: { ca },
    });
    const servers = server.url.replace("nats://", "");
    const nc = await connect({ servers, tls: { ca }, ...credentials("logger") });
    expect(nc.info?.tls_required).toBe(true);
    await nc.close();
    await expect(connect({ servers, ...credentials("logger") })).rejects.toThrow(/certificate|verify/i);
  });
});
