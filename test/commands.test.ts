import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../internal/local/free-port.ts";
import { startCommand } from "./harness/command.ts";
import { runHere } from "./harness/command-here.ts";

const root = resolve(import.meta.dirname, "..");
const commands = globSync("cmd/*/main.ts", { cwd: root }).sort();
const sourceOf = (file: string) => readFileSync(join(root, file), "utf8");
const services = commands.filter((file) => sourceOf(file).includes("runService("));
const withNats = services.filter((file) => sourceOf(file).includes("openNats("));

test("there are commands, most of them services", () => {
  expect(commands).toContain("cmd/up/main.ts");
  expect(services.length).toBeGreaterThan(4);
  expect(withNats.length).toBeGreaterThan(3);
});

/** What each command says to --help. */
const helps = new Map<string, string>();
test.each(commands)("%s --help explains itself and exits 0", async (file) => {
  const command = await runHere(file, ["--help"]);
  expect(command.code).toBe(0);
  expect(command.stdout).toMatch(/^Usage: /m);
  expect(command.stderr).toBe("");
  helps.set(file, command.stdout);
});

const others = commands.filter((file) => !services.includes(file));
test.each(others)("%s with a flag that there is not says so and exits 78", async (file) => {
  const command = await runHere(file, ["--no-such-flag"]);
  expect(command.code).toBe(78);
  expect(command.stdout).toBe("");
  expect(command.stderr).toMatch(/--no-such-flag|--help/);
});

test.each(services)(
  "%s lists all that is wrong with its flags and environment, and exits 78",
  async (file) => {
    const env = {
      NATS_URL: "http://127.0.0.1",
      NATS_REPLICAS: "none",
      DATABASE_URL: "nowhere",
      HTTP_PORT: "high",
      LOG_LEVEL: "loud",
    };
    const help = helps.get(file) ?? expect.fail("its help is asked for before");
    const asked = Object.keys(env).filter((name) => help.includes(`  ${name} `));
    const command = await runHere(file, ["--wrong"], { env });
    expect(command.code).toBe(78);
    expect(command.stdout).toBe("");
    const lines = command.stderr.split("\n");
    expect(lines.map((line) => line.trim().replace(/^\S+: (?=There)/, ""))).toContainEqual(
      expect.stringMatching(/^There is no flag --wrong: "croupier .* --help" lists them\.$/),
    );
    for (const name of asked) expect(lines.some((line) => line.includes(` ${name} must `))).toBe(true);
  },
);

test.each(withNats)(
  "%s waits for a NATS that is away, and ends at once with 0 when told to",
  async (file) => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const command = startCommand(file, {
      env: {
        NATS_URL: `nats://casino:secret@${nowhere}`,
        DATABASE_URL: `postgres://casino:secret@${nowhere}/casino`,
        RATES_URL: `http://${nowhere}/`,
        DELIVERY_KEY: Buffer.alloc(32).toString("base64"),
        HTTP_PORT: "0",
      },
    });
    const said = await command.logged(/NATS is away/);
    expect(said).toMatchObject({ servers: `nats://***@${nowhere}`, because: expect.stringMatching(/\w/) });
    expect(said.err).toBeUndefined();
    command.child.kill("SIGTERM");
    expect(await command.ended, command.stderr).toEqual({ code: 0, signal: null });
    expect(command.stdout).toBe("");
    expect(command.stderr).not.toContain("secret");
  },
);
