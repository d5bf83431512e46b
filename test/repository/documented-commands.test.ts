import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../internal/local/free-port.ts";
import { copyOfProject } from "../harness/checkout.ts";
import { type DocumentedCommand, documentedCommands } from "../harness/documented-commands.ts";
import { stopAtEnd, watch } from "../harness/guard.ts";
import { waitFor } from "../harness/wait-for.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** Commands that something else runs, and where it does. A text that the file must hold shows that it still does so. */
const elsewhere: readonly (readonly [command: RegExp, file: string, text: string])[] = [
  [/^npm ci\b/, ".ci/run", "npm ci"],
  [/npm run up$/, "test/up.test.ts", "cmd/up/main.ts"],
  [/npm test\b/, ".ci/run", "npm test --silent"],
  [/npm run test:all\b/, ".github/workflows/ci.yml", "npm run test:all"],
  [/^npm run check$/, ".ci/run", "npm run --silent check"],
  [/^npm audit$/, ".github/workflows/ci.yml", "npm audit"],
  [/^npm sbom /, "test/repository/dependencies.test.ts", "npm sbom"],
  // Half an hour and more; the suite has a short one.
  [/^npm run chaos -- --seed /, "test/chaos/chaos.test.ts", '"main.ts"'],
  // Half an hour too; the suite starts it, and cuts it off.
  [/^npm run bench\b/, "bench/interruptible.test.ts", '"main.ts"'],
  // By `npm run compose-check`, which needs a Docker engine.
  [/^(\w+=\S+ )*docker /, "test/compose/documented.ts", "docker /.test(command)"],
];

/** Commands that go on until they are interrupted. */
const endless = /^(nats sub|npm run (generator|up)) /;

const documented = documentedCommands();
const isElsewhere = ({ command }: DocumentedCommand) => elsewhere.some(([pattern]) => pattern.test(command));

describe("every command in the docs", () => {
  let up: ChildProcess;
  let nc: NatsConnection;
  let banner = "";
  let flow: NodeJS.Timeout;
  /** For a command that can only be at rest what it says. */
  let isResting = false;
  const checkout = copyOfProject();
  const env: NodeJS.ProcessEnv = {
    PATH: `${join(checkout, "bin")}:${process.env.PATH}`,
    HOME: checkout,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  };

  beforeAll(async () => {
    mkdirSync(join(checkout, "bin"));
    const cli = join(checkout, "bin/nats");
    writeFileSync(cli, `#!/bin/sh\nexec "${process.execPath}" "${checkout}/test/harness/nats-cli.ts" "$@"\n`);
    chmodSync(cli, 0o755);
    writeFileSync(join(checkout, "players.csv"), "id;email\n10;john@example.com\n");
    writeFileSync(join(checkout, "games.csv"), "id,title\n100,Rocket Dice\n");
    const schema = '{"type":"object","properties":{"level":{"type":"integer"}},"required":["level"]}';
    for (const file of ["level-up.json", "acme.json"]) writeFileSync(join(checkout, file), schema);

    const args = ["--data", join(checkout, ".data"), "--port", String(await freePort()), "--rate", "0"];
    up = spawn(process.execPath, [join(checkout, "cmd/up/main.ts"), ...args], {
      cwd: checkout,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (up.pid !== undefined) stopAtEnd(up.pid);
    up.stderr?.setEncoding("utf8").on("data", (text) => (banner += text));
    await waitFor(() => banner.includes("Croupier is up."), { what: `up in\n${banner}` });
    Object.assign(env, {
      NATS_URL: field(/NATS +(\S+)/),
      DATABASE_URL: field(/Postgres +(\S+)/),
      KEY: field(/Bearer (\w+)/),
    });

    // Fifteen letters, some of each of the two clients of the examples.
    nc = await connect({ servers: env.NATS_URL ?? "" });
    const at = new Date().toISOString();
    const strange = (id: number) => `{"id":${id},"type":"level_up","created_at":"${at}","data":{"level":2}}`;
    for (let id = 1; id <= 15; id++)
      nc.publish(`casino.event.raw.${id < 3 ? "acme-casino" : "casino"}`, strange(id));
    await nc.flush();
    // Events flow meanwhile, with moments between them that `npm run prove` finds also on a busy machine.
    let id = 1_000;
    flow = setInterval(() => {
      const event = { id: id++, type: "game_start", player_id: 10, game_id: 100, created_at: at };
      if (!isResting) nc.publish("casino.event.raw.casino", JSON.stringify(event));
    }, 500);
    await waitFor(async () => (await run("npm run -s dead-letters -- show 15")).code === 0);
  });

  afterAll(async () => {
    clearInterval(flow);
    await nc.close();
    const exited = once(up, "exit");
    up.kill("SIGTERM");
    await exited;
  });

  const field = (pattern: RegExp) => pattern.exec(banner)?.[1] ?? "";

  async function run(command: string): Promise<{ readonly code: number | null; readonly said: string }> {
    isResting = command.includes("--strict");
    const here = command.replaceAll("localhost:3000", new URL(field(/curl (\S+)/)).host);
    const child = spawn("bash", ["-c", `set -o pipefail; ${here}`], {
      cwd: checkout,
      env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    if (child.pid !== undefined) watch(child.pid);
    child.stdin.end("y\n"); // for the one that asks first
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (said += text));
    const closed = once(child, "close");
    if (endless.test(command)) {
      // The lines that npm begins with are not yet the command's.
      await waitFor(() => /^[^>\s]/m.test(said), { what: `what "${command}" says` });
      process.kill(-(child.pid ?? 0), "SIGINT");
    }
    const [code] = await closed;
    return { code, said };
  }

  test.each(documented.filter((line) => !isElsewhere(line)))("$page: $command", async ({ command }) => {
    const { code, said } = await run(command);
    // An answer of HTTP with an error is a failure too, which curl by itself does not say.
    expect(code === 0 && !/"status":\s*[45]\d\d/.test(said), `exit code ${code}:\n${said}`).toBe(true);
  });
});

test("the others are run where the list says", () => {
  for (const [pattern, file, text] of elsewhere) {
    expect(
      documented.some(({ command }) => pattern.test(command)),
      String(pattern),
    ).toBe(true);
    expect(read(file), file).toContain(text);
  }
});
