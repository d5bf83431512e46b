import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { describe, expect, test } from "vitest";
import { benchCommand } from "../bench/options.ts";
import { backupCommand } from "../cmd/backup/command.ts";
import { clientsCommand } from "../cmd/clients/command.ts";
import { deadLettersCommand } from "../cmd/dead-letters/command.ts";
import { deliveriesCommand } from "../cmd/deliveries/command.ts";
import { destinationsCommand } from "../cmd/destinations/command.ts";
import { eventTypesCommand } from "../cmd/event-types/command.ts";
import { recordsCommand } from "../cmd/players/command.ts";
import { playersCommand } from "../cmd/players/erase-command.ts";
import { proveCommand } from "../cmd/prove/command.ts";
import { receiverFlags } from "../cmd/receiver/flags.ts";
import { restoreCommand } from "../cmd/restore/command.ts";
import { samplesCommand } from "../cmd/samples/command.ts";
import { tailCommand } from "../cmd/tail/command.ts";
import { topCommand } from "../cmd/top/command.ts";
import { gameKind } from "../internal/games/game-kind.ts";
import { generatorFlags } from "../internal/generator/flags.ts";
import { services } from "../internal/local/services.ts";
import { upCommand } from "../internal/local/up-options.ts";
import { type Build, Reading } from "../internal/service/command-line.ts";
import { commands } from "../internal/service/commands.ts";
import { exitCode } from "../internal/service/exit-code.ts";
import { serviceCommand } from "../internal/service/lifecycle.ts";
import { chaosCommand } from "./chaos/options.ts";
import { read } from "./harness/docs-table.ts";

const root = join(import.meta.dirname, "..");

describe("croupier", () => {
  test("has every command there is, and each is a script of npm too", () => {
    const folders = globSync("cmd/*/main.ts", { cwd: root }).filter((file) => !file.includes("/croupier/"));
    expect(commands.map(({ file }) => file).sort()).toEqual(
      [...folders, "bench/main.ts", "test/chaos/main.ts"].sort(),
    );
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }; // our own file
    for (const { name, file } of commands.filter((one) => one.name !== "healthcheck")) {
      // What runs until it is told to stop can be stopped while it loads.
      const isService = name === "up" || read(file).includes("await runService(");
      const early = isService ? "--import ./internal/service/early-stop.js " : "";
      expect(scripts[name]).toBe(`exec node ${early}${file}`);
      expect(existsSync(join(root, file))).toBe(true);
    }
  });

  test.each([
    [["gatway"], 78, /^croupier: There is no command "gatway": did you mean gateway\?\n/],
    [["clients", "keys", "creat"], 78, /^clients: There is no command "creat": did you mean create\?\n/],
    [["generator", "--rat=5", "--count", "x"], 78, /no flag --rat: did you mean --rate\?\n {2}--count must/],
    [
      ["bench", "--quik", "--only", "x"],
      78,
      /no flag --quik: did you mean --quick\?\n {2}--only must be one of /,
    ],
    [
      ["games", "import", "a", "b", "--dry"],
      78,
      /^games: There is no flag --dry: did you mean --dry-run\?\n/,
    ],
    [["healthcheck", "http://127.0.0.1:1/readyz"], 1, /^healthcheck: http:\/\/127\.0\.0\.1:1.* not answer/],
  ])("%j ends with %i and says why", async (args, code, said) => {
    const ended = await croupier(args);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toMatch(said);
  });

  test.each([
    [[], /^Usage: croupier <command> \[flags\]\n[^#]*\n {2}dead-letters {2}/],
    [["help", "clients"], /^Usage: croupier clients <command> \[flags\]\n/],
    [["dead-letters", "replay", "--help"], /^Usage: croupier dead-letters replay \[<seq>\] \[flags\]\n/],
    [["--version"], /^croupier \d+\.\d+\.\d+\n$/],
    [["enricher", "--version"], /^croupier \d+\.\d+\.\d+\n$/],
  ])("%j explains itself", async (args, said) => {
    const ended = await croupier(args);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(said);
  });
});

describe("flags that npm took for itself", () => {
  const npm = (script: string, config: Readonly<Record<string, string>>) => ({
    npm_command: "run-script",
    npm_lifecycle_event: script,
    ...Object.fromEntries(Object.entries(config).map(([name, value]) => [`npm_config_${name}`, value])),
  });

  test.each([
    [["dead-letters", "replay", "3"], { dry_run: "true" }, "npm run dead-letters -- replay 3 --dry-run"],
    [["dead-letters", "list", "5"], { limit: "true" }, "npm run dead-letters -- list 5 --limit …"],
    [["dead-letters", "list"], { client: "acme" }, "npm run dead-letters -- list --client=acme"],
    [["clients", "keys", "create", "a", "b"], { expiry: "1" }, "-- keys create a b --expiry=1"],
    [["up"], { generator: "", fresh: "true" }, "npm run up -- --fresh --no-generator"],
    [["prove"], { json: "true" }, "npm run prove -- --json"],
    [["bench"], { quick: "true" }, "npm run bench -- --quick"],
    [["dead-letters", "replay", "3"], { dryrun: "true" }, "npm run dead-letters -- replay 3 --dry-run"],
  ])("%j with %j is refused", async ([script = "", ...args], config, typed) => {
    const ended = await croupier([script, ...args], npm(script, config));
    expect(ended).toMatchObject({ code: 78, stdout: "" });
    expect(ended.stderr).toMatch(/^[a-z-]+: npm took --/);
    expect(ended.stderr).toContain(typed);
  });

  test.each([
    ["what npm is set to for itself", ["healthcheck", "--version"], npm("healthcheck", { yes: "" })],
    ["another script's", ["dead-letters", "--version"], npm("test", { dry_run: "true", json: "true" })],
    [
      "what is no flag of the command",
      ["dead-letters", "--version"],
      npm("dead-letters", { cache: "/root" }),
    ],
    [
      "a flag that is there all the same",
      ["clients", "keys", "create", "--expiry=never"],
      npm("clients", { expiry: "1" }),
    ],
  ])("not: %s", async (_, args, env) => {
    expect((await croupier(args, env)).stderr).not.toContain("npm took");
  });
});

describe("docs/commands.md", () => {
  const page = read("docs/commands.md");
  const rows = (heading: string): readonly (readonly string[])[] => {
    const [, section = ""] = page.split(`\n## ${heading}\n`);
    const [before = ""] = section.split("\n## ");
    const lines = before.split("\n").filter((line) => line.startsWith("| "));
    return lines.slice(1).map((line) => line.split(" | ").map((cell) => cell.replace(/^\||\|$/g, "").trim()));
  };

  test("lists every command with its flags", () => {
    const builds: Readonly<Record<string, Build<never>>> = {
      up: upCommand(services),
      generator: serviceCommand({ name: "generator", summary: ".", flags: generatorFlags }),
      receiver: serviceCommand({ name: "receiver", summary: ".", flags: receiverFlags }),
      samples: samplesCommand,
      backup: backupCommand,
      restore: restoreCommand,
      tail: tailCommand,
      clients: clientsCommand(),
      players: playersCommand,
      games: recordsCommand(gameKind),
      destinations: destinationsCommand,
      deliveries: deliveriesCommand,
      "event-types": eventTypesCommand,
      top: topCommand,
      "dead-letters": deadLettersCommand,
      prove: proveCommand,
      bench: benchCommand([]),
      chaos: chaosCommand,
    };
    const actual = commands.flatMap(({ name }) => {
      const build = builds[name];
      return build === undefined ? [[`croupier ${name}`, ""] as const] : leaves(build(new Reading<never>()));
    });
    const documented = rows("Flags").map(([command, flags]) => [
      command?.replaceAll("`", "").replace(/^(croupier healthcheck) .*/, "$1"),
      flags?.replaceAll("`", ""),
    ]);
    expect(documented).toEqual(actual);
  });

  test("explains every exit code", () => {
    expect(rows("Exit codes").map(([code]) => Number(code))).toEqual(Object.values(exitCode));
  });
});

/** Each command that does something, as it is typed, with its flags. */
function leaves(command: CommandUnknownOpts, path = ""): readonly (readonly [string, string])[] {
  const name = `${path} ${command.name()}`.trim();
  if (command.commands.length > 0) return command.commands.flatMap((sub) => leaves(sub, name));
  const args = command.registeredArguments.map((it) => (it.required ? `<${it.name()}>` : `[<${it.name()}>]`));
  const flags = command.options.filter(({ long }) => long !== "--version").map((option) => option.flags);
  return [[[name, ...args].join(" "), flags.join(", ")]];
}

function croupier(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"));
  return new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
    execFile(
      process.execPath,
      ["cmd/croupier/main.ts", ...args],
      { cwd: root, env: { ...Object.fromEntries(inherited), ...env } },
      (err, stdout, stderr) => done({ code: typeof err?.code === "number" ? err.code : 0, stdout, stderr }),
    );
  });
}
