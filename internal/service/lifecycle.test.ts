import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { type Command, logLines, startCommand } from "../../test/harness/command.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const fixture = "internal/service/lifecycle.fixture.ts";
const stopped = { code: 0, signal: null };
const failed = { code: 1, signal: null };
const misconfigured = { code: 78, signal: null };

/** Runs a scenario of the fixture. */
function start(scenario: string, options: { args?: string[]; ipc?: boolean } = {}): Command {
  return startCommand(fixture, { ...options, args: ["--do", scenario, ...(options.args ?? [])] });
}

describe("configuration", () => {
  test("flags and environment are handed over parsed", async () => {
    const command = start("tell", { args: ["--count=7", "--count", "8", "--two-words", "as named"] });
    expect(await command.ended).toEqual(stopped);
    expect(JSON.parse(command.stdout)).toEqual({
      flags: { do: "tell", count: 8, twoWords: "as named" },
      config: { NATS_URL: "nats://127.0.0.1:4222", HTTP_PORT: 4321, LOG_LEVEL: "info" },
    });
  });

  test("every problem of flags and environment is on stderr, and the exit code is 78", async () => {
    const command = startCommand(fixture, {
      args: ["--do", "run", "--cuont", "7", "--count=x", "extra", "--no-such", "-x", "--do", "--count", "y"],
      env: { NATS_URL: "http://here", HTTP_PORT: "none", RATES_URL: "http://wrong", LOG_LEVEL: "loud" },
    });
    expect(await command.ended).toEqual(misconfigured);
    expect(command.stdout).toBe("");
    expect(command.stderr).toBe(`fixture: the command line or the configuration is wrong:
  There is no flag --cuont: did you mean --count?
  There is no flag --no-such: "croupier fixture --help" lists them.
  There is no flag -x: "croupier fixture --help" lists them.
  "extra" is not expected: it is croupier fixture [flags].
  "y" is not expected: it is croupier fixture [flags].
  --count must be a number, not "x".
  --do must have a value, not "--count".
  NATS_URL must be comma-separated URLs that start with nats:// or tls:// (percent-encode in user name and password what is neither letter nor digit: % is %25, # is %23, / is %2F, ? is %3F), not "http://here".
  HTTP_PORT must be an integer from 0 to 65535, not "none".
  LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud".
  RATES_URL must be right.
`);
  });

  test.each(["--help", "-h"])("%s lists flags and variables, whatever else is wrong", async (flag) => {
    const command = startCommand(fixture, { args: ["--wrong", flag], env: { HTTP_PORT: "none" } });
    expect(await command.ended).toEqual(stopped);
    expect(command.stderr).toBe("");
    expect(command.stdout).toBe(`Usage: croupier fixture [flags]

Does what it is told.

Flags:
  --version        the version
  --do <DO>        what to do
  --count <N>      a number
  --two-words <W>  a text
  -h, --help       this text

Environment:
  NATS_URL              NATS servers, comma-separated; user:password@ or token@ in the URL (default nats://127.0.0.1:4222)
  RATES_URL             rates API, based on EUR; the step \`currency\` needs it
  HTTP_PORT             port of the service's HTTP (health and routes); 0 = any free port (default 4321)
  LOG_LEVEL             lowest level that is logged (default info)
`);
  });

  test("a variable that is nearly one of ours is named in the log", async () => {
    const command = startCommand(fixture, {
      args: ["--do", "tell"],
      other: { NATS_ULR: "nats://elsewhere" },
    });
    expect(await command.ended).toEqual(stopped);
    await command.logged("NATS_ULR is set, but is no variable of ours: did you mean NATS_URL?");
  });
});

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s closes all, newest first, and exits 0", async (signal) => {
    const command = start("run");
    await command.logged("ready");
    command.child.kill(signal);
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("closed third\nclosed second\nclosed first\n");
    expect(logLines(command.stderr).map(({ msg, why }) => [msg, why])).toEqual([
      ["ready", undefined],
      ["stopping", signal],
      ["stopped", undefined],
    ]);
  });

  test("work that is finished closes all and exits 0", async () => {
    const command = start("finish");
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("closed second\nclosed first\n");
  });

  test("a service can stop itself", async () => {
    const command = start("stop itself");
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("closed first\n");
    expect(await command.logged("stopping")).toMatchObject({ why: "enough" });
  });

  test("a close that hangs ends at the deadline with 1, and is named", async () => {
    const command = start("hang at its end");
    await command.logged("ready");
    command.child.kill("SIGTERM");
    expect(await command.ended).toEqual(failed);
    expect(command.stdout).toBe("closed third\n");
    expect(await command.logged(/^gave up closing after 0\.1 s/)).toMatchObject({
      closing: "second",
      unfinished: ["first"],
    });
  });

  test("a close that fails lets the others go on, and ends with 1", async () => {
    const command = start("fail at its end");
    expect(await command.ended).toEqual(failed);
    expect(command.stdout).toBe("closed third\nclosed first\n");
    expect(await command.logged("closing failed")).toMatchObject({
      what: "second",
      err: { message: "broken" },
    });
  });

  test("further signals during a stop change nothing", async () => {
    const command = start("close slowly", { ipc: true });
    await command.logged("ready");
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      command.child.kill(signal);
      await waitFor(() => command.stdout.includes(`heard ${signal}`));
    }
    command.child.send("close");
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("heard SIGINT\nheard SIGTERM\nclosed first\n");
    expect(logLines(command.stderr).filter(({ msg }) => msg === "stopping")).toHaveLength(1);
  });

  test("a signal cuts a start short, and exits 0", async () => {
    const command = start("start for ever");
    await command.logged("starting");
    command.child.kill("SIGTERM");
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("closed first\n");
    expect(logLines(command.stderr).map(({ level }) => level)).toEqual(["info", "info", "info"]);
  });

  test("what a start still opens during the stop is closed too, everything once", async () => {
    const command = start("open more during its stop");
    await command.logged("starting");
    command.child.kill("SIGTERM");
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("closed second\nclosed third\nclosed first\n");
  });
});

describe("a supervising parent", () => {
  test("that lets go stops the service", async () => {
    const command = start("run", { ipc: true });
    await command.logged("ready");
    command.child.disconnect();
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toContain("closed first");
    expect(await command.logged("stopping")).toMatchObject({ why: "parent gone" });
  });

  test("that is gone before the service listens stops it too", async () => {
    const command = start("run", { ipc: true, args: ["--late"] });
    command.child.disconnect();
    expect(await command.ended).toEqual(stopped);
    expect(command.stdout).toBe("");
  });

  test("that is killed leaves no orphan", async () => {
    const script = `require("node:child_process").fork("${fixture}", ["--do", "run"])`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [parent.stdout, parent.stderr]) stream.on("data", (text) => (said += text));
    await waitFor(() => said.includes("ready"));
    parent.kill("SIGKILL");
    // The pipes close only when both parent and child have ended.
    await once(parent, "close");
    expect(said).toContain("closed first");
    expect(said).toContain("parent gone");
  });
});

describe("failures", () => {
  test.each([
    ["not start", 1, "the port is taken"],
    ["not be let in", 69, "NATS refuses the credentials (NATS_URL is nats://127.0.0.1:4222)."],
    ["trip", 70, "it is undefined"],
  ])("a start that fails says why, closes what it had opened and exits: %s", async (scenario, code, msg) => {
    const command = start(scenario);
    expect(await command.ended).toEqual({ code, signal: null });
    expect(command.stdout).toBe("closed second\nclosed first\n");
    expect(logLines(command.stderr)).toMatchObject([{ level: "fatal", msg }]);
  });

  test("work that does not come back is said, all is closed, and the exit code is 70", async () => {
    const command = start("be stuck");
    expect(await command.ended).toEqual({ code: 70, signal: null });
    expect(command.stdout).toBe("closed first\n");
    expect(logLines(command.stderr)).toMatchObject([{ level: "fatal", msg: "it does not come back" }]);
  });

  test.each([
    ["throw", "a bug"],
    ["reject", "a forgotten bug"],
  ])("a bug (%s) ends the process at once and loudly", async (scenario, message) => {
    const command = start(scenario);
    expect(await command.ended).toEqual({ code: 70, signal: null });
    expect(command.stdout).toBe("");
    expect(logLines(command.stderr)).toMatchObject([{ level: "fatal", err: { message } }]);
  });
});

test("what a library says on the console becomes a line of the log", async () => {
  const command = start("use a talkative library");
  expect(await command.ended).toEqual(stopped);
  expect(command.stdout).toBe("");
  for (const msg of ["a connection failed in the background", "reader closed"])
    expect(logLines(command.stderr)).toContainEqual(expect.objectContaining({ level: "warn", msg }));
});
