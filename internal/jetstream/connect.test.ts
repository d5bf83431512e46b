import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { natsConfig, natsUsers } from "../local/nats-users.ts";
import { readConfig } from "../service/config.ts";
import { connectNats } from "./connect.ts";

test("a password that is wrong for a while is no reason to give up, and is said once", async () => {
  const users = natsUsers("inspector");
  const variables = { ...users.variables };
  const dir = tempFolder("nats");
  const auth = users.credentials("operator");
  const server = await natsForTest({ dir, config: natsConfig, variables, auth });
  const attempts = () =>
    readFileSync(join(dir, "nats-server.log"), "utf8").split('authentication error - User "logger"').length -
    1;
  const said: string[] = [];
  const note = (what: object, message: string) => {
    said.push("because" in what ? `${message}: ${what.because}` : message);
  };
  const log = Object.assign(Object.create(silent), { error: note, info: note });
  const config = readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: users.url("logger", server.url) });
  const nc = await connectNats("logger", config, log, AbortSignal.timeout(10_000));
  onTestFinished(() => nc.close());

  await server.stop();
  const right = variables.NATS_LOGGER_PASSWORD ?? "";
  variables.NATS_LOGGER_PASSWORD = "another";
  await server.start();
  await waitFor(() => attempts() >= 3);
  expect(said).toEqual(["NATS reports an error: Authorization Violation"]);
  expect(nc.isClosed()).toBe(false);

  await server.stop();
  variables.NATS_LOGGER_PASSWORD = right;
  await server.start();
  await waitFor(() => said.includes("NATS is back"));
  await nc.flush();
});

test("a flood of what it may not do is one line, and says what was refused", async () => {
  const users = natsUsers("inspector");
  const auth = users.credentials("operator");
  const server = await natsForTest({ config: natsConfig, variables: users.variables, auth });
  const said: string[] = [];
  const note = (what: { readonly because?: string }) => void said.push(what.because ?? "");
  const log = Object.assign(Object.create(silent), { error: note });
  const config = readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: users.url("logger", server.url) });
  const nc = await connectNats("logger", config, log, AbortSignal.timeout(10_000));
  onTestFinished(() => nc.close());
  let refusals = 0;
  void (async () => {
    for await (const { type } of nc.status()) if (type === "error") refusals++;
  })();
  for (let number = 0; number < 100; number++) nc.publish(`_INBOX_gateway.guessed.${number}`);
  await waitFor(() => refusals === 100);
  expect(said).toEqual([expect.stringContaining('"_INBOX_gateway.guessed.0"')]);
});

test("what a callback throws is an uncaught exception, and the connection goes on reading", async () => {
  const server = await natsForTest();
  const config = readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: server.url });
  const nc = await connectNats("logger", config, silent, AbortSignal.timeout(10_000));
  onTestFinished(() => nc.close());
  const others = process.rawListeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  onTestFinished(() => {
    for (const other of others) process.on("uncaughtException", other as (err: Error) => void); // as they were
  });
  nc.subscribe("bug", {
    callback: () => {
      throw new Error("a bug");
    },
  });
  nc.publish("bug");
  expect(await thrown).toMatchObject({ message: "a bug" });
  const heard = nc.subscribe("next", { max: 1 });
  nc.publish("next");
  for await (const { subject } of heard) expect(subject).toBe("next");
});
