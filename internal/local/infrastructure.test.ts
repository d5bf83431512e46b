import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { expect, onTestFinished, test } from "vitest";
import { watch } from "../../test/harness/guard.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { databaseUsers as known } from "../postgres/roles.ts";
import { takeDataFolder } from "./data-folder.ts";
import {
  databaseUsers,
  environmentOf,
  type Infrastructure,
  passwordsOf,
  startInfrastructure,
} from "./infrastructure.ts";

import { services } from "./services.ts";

/** Only NATS is started: the rest is somebody else's. */
async function startNatsOnly(strict: boolean): Promise<{ started: Infrastructure; folder: string }> {
  const folder = await takeDataFolder(join(tempFolder("infrastructure"), "data"));
  const given = { DATABASE_URL: "postgres://theirs@db.example/casino", REDIS_URL: "redis://redis.example" };
  const started = await startInfrastructure(given, {
    folder,
    strict,
    say: () => undefined,
    adopt: (kept) => {
      onTestFinished(() => kept.stop(5_000));
      void kept.started.then(({ pid }) => watch(pid));
    },
  });
  return { started, folder: folder.path };
}

test("whoever is on this machine may do everything on the NATS of up, unless it is strict", async () => {
  const { started } = await startNatsOnly(false);
  const nc = await connect({ servers: started.nats.url ?? "" });
  onTestFinished(() => nc.close());
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "CASINO_RAW", subjects: ["casino.event.raw.*"] });
  await nc.request("casino.event.raw.casino", "{}");
  expect((await jsm.streams.info("CASINO_RAW")).state.messages).toBe(1);
});

test("strict, who has no credentials may look, and the operator's URL lies where only its owner reads it", async () => {
  const { started, folder } = await startNatsOnly(true);
  const nc = await connect({ servers: started.nats.url ?? "" });
  onTestFinished(() => nc.close());
  await expect(nc.request("casino.event.raw.casino", "{}")).rejects.toThrow(/permission/i);
  nc.subscribe("casino.>");
  await nc.flush();

  const file = join(folder, "nats/operator-url");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(started.nats.note).toContain(`NATS_URL=$(cat ${file})`);
  const { username: user, password: pass, host: servers } = new URL(readFileSync(file, "utf8").trim());
  const operator = await connect({ servers, user, pass });
  onTestFinished(() => operator.close());
  const jsm = await jetstreamManager(operator);
  await jsm.streams.add({ name: "CASINO_OPERATED", subjects: ["casino.operated"] });
  expect(await jsm.streams.delete("CASINO_OPERATED")).toBe(true);
});

test("each service gets its own user of what up runs, and what is somebody else's as it is given", async () => {
  const { started } = await startNatsOnly(true);
  const users = ["enricher", "gateway", "rates"].map((service) => {
    const { NATS_URL, DATABASE_URL } = environmentOf(started, service);
    return [new URL(NATS_URL ?? "").username, DATABASE_URL];
  });
  expect(users).toEqual([
    ["enricher", "postgres://theirs@db.example/casino"],
    ["gateway", "postgres://theirs@db.example/casino"],
    ["", ""],
  ]);
  expect(passwordsOf(started)).toEqual({});
});

test("only those that read DATABASE_URL are told of a database", async () => {
  const { started } = await startNatsOnly(true);
  const told = (service: string) => environmentOf(started, service).DATABASE_URL !== "";
  const names = services.map(({ name }) => name);
  expect(names.filter(told).toSorted()).toEqual(
    names.filter((name) => readFileSync(`cmd/${name}/main.ts`, "utf8").includes('"DATABASE_URL"')).toSorted(),
  );
});

test("the users of the database are those that migrate knows", () => {
  expect(databaseUsers.toSorted()).toEqual(known.toSorted());
});
