import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { lockedNatsForTest, natsVersions } from "../../test/harness/locked-broker.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import type { ConfigDrift } from "../service/config-drift.ts";
import { findSharedAccount } from "./shared-account.ts";

async function look(servers: string, options: ConnectionOptions = {}): Promise<ConfigDrift> {
  const nc = await connect({ servers, ...options });
  onTestFinished(() => nc.close());
  return await findSharedAccount(nc);
}

const warned = { found: [expect.stringMatching(/^producers have to be trusted: .*nats\.conf/)], unseen: [] };

describe.each(await natsVersions())("nats-server $version", ({ version, binary }) => {
  test("without accounts and passwords: producers have to be trusted", async () => {
    const plain = await natsForTest({ binary });
    expect(await look(plain.url)).toEqual(warned);
  });

  test("with passwords but no accounts: likewise, where the server tells", async () => {
    const config = join(tempFolder("users"), "nats.conf");
    const auth = { user: "all", pass: "secret" };
    writeFileSync(
      config,
      "jetstream { store_dir: $NATS_STORE_DIR }, authorization { user: all, password: secret }",
    );
    const users = await natsForTest({ binary, config, auth });
    const silent = version.startsWith("2.9.");
    expect(await look(users.url, auth)).toEqual(silent ? { found: [], unseen: [] } : warned);
  });

  test("with nats.conf: nothing, and where it may not be asked it says so", async () => {
    const broker = await lockedNatsForTest("operator", { binary });
    const as = (role: "enricher" | "logger") =>
      look(broker.server.url, { ...broker.credentials(role), inboxPrefix: `_INBOX_${role}` });
    expect(await as("enricher")).toEqual({ found: [], unseen: [] });
    expect(await as("logger")).toEqual({
      found: [],
      unseen: [expect.stringMatching(/^the account: Permissions Violation/)],
    });
  });
});
