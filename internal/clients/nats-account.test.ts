import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectForTest } from "../../test/harness/broker.ts";
import { lockedNatsForTest, natsVersions } from "../../test/harness/locked-broker.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { natsConfig } from "../local/nats-users.ts";
import { type NatsAccount, natsAccount } from "./nats-account.ts";

const text = readFileSync(natsConfig, "utf8");
const ofCasino = natsAccount("casino");

/** nats.conf with what is printed for this client pasted into it. */
function natsConfWith({ exported, account }: NatsAccount): string {
  const folder = tempFolder("nats-conf");
  cpSync(join(natsConfig, "../nats"), join(folder, "nats"), { recursive: true });
  const file = join(folder, "nats.conf");
  writeFileSync(
    file,
    text
      .replace(ofCasino.exported, ofCasino.exported + exported)
      .replace(ofCasino.account, ofCasino.account + account),
  );
  return file;
}

test("nats.conf has the very same for the client casino", () => {
  expect(text).toContain(ofCasino.exported);
  expect(text).toContain(ofCasino.account);
});

describe.each(await natsVersions())("on nats-server $version", ({ binary }) => {
  const acme = natsAccount("acme-2");
  const variables = { [acme.passwordVariable]: "secret" };

  test("what is printed, pasted: the client's producer publishes its events and nobody else's", async () => {
    const broker = await lockedNatsForTest(undefined, { binary, config: natsConfWith(acme), variables });
    const { jsm } = await connectForTest(broker.server, broker.credentials("operator"));
    await jsm.streams.add({ name: "CASINO_RAW", subjects: ["casino.event.raw.*"] });
    const nc = await connect({ servers: broker.server.url, user: "producer-acme-2", pass: "secret" });
    onTestFinished(() => nc.close());
    const stored = await jetstream(nc).publish("casino.event.raw.acme-2", "{}");
    expect(stored).toMatchObject({ stream: "CASINO_RAW", seq: 1, duplicate: false });
    await expect(nc.request("casino.event.raw.casino", "{}")).rejects.toThrow(/permissions violation/i);
    await expect(jetstreamManager(nc)).rejects.toThrow();
    expect((await jsm.streams.info("CASINO_RAW")).state.last_seq).toBe(1);
  });

  test("without the line among the exports the server refuses to start", async () => {
    const config = natsConfWith({ ...acme, exported: "" });
    await expect(lockedNatsForTest(undefined, { binary, config, variables })).rejects.toThrow(
      /import|authoriz/i,
    );
  });
});
