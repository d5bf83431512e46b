import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Child, follow } from "../../internal/local/child.ts";
import { freePort } from "../../internal/local/free-port.ts";
import { forget, watch } from "./guard.ts";
import { waitFor } from "./wait-for.ts";

const root = join(import.meta.dirname, "../..");
const running = new Set<Child>();
/** All that a service has from the environment of the tests. */
const inherited = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };

/** Ends the services of the test file that ran last. */
export async function endServices(): Promise<void> {
  await Promise.all([...running].map((child) => child.kill()));
}

/** What processes have written, in pieces as they came. */
interface Written {
  readonly output: Buffer[];
  readonly errors: Buffer[];
}

interface Launched extends Child {
  /** Settles when all that it wrote has come, which may be after its end. */
  readonly closed: Promise<void>;
}

/** Runs a script; its process is ended after the file's last test. What it writes is added to `written`. */
function launch(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  written: Written,
): Launched {
  const spawned = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...inherited, LOG_LEVEL: "warn", ...env },
  });
  spawned.stdout.on("data", (chunk: Buffer) => written.output.push(chunk));
  spawned.stderr.on("data", (chunk: Buffer) => written.errors.push(chunk));
  const closed = new Promise<void>((resolve) => spawned.once("close", () => resolve()));
  const child = follow(spawned, "SIGTERM");
  running.add(child);
  watch(child.pid);
  void child.exited.then(() => {
    forget(child.pid);
    running.delete(child);
  });
  return { ...child, closed };
}

/** A service of this project as a process of its own, which can be ended and started again. */
export interface ServiceUnderTest {
  readonly url: string;
  /** Everything the process and its predecessors wrote to stdout. */
  readonly output: () => string;
  readonly errors: () => string;
  /** How the last process ended. */
  readonly exited: () => Promise<string>;
  /** Ends it with SIGTERM and waits for its end. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  /** Starts it, again; resolves when `/readyz` answers 200. */
  readonly start: () => Promise<void>;
}

/** Starts `cmd/<name>/main.ts` of a checkout with this environment on a free HTTP port; resolves when it is ready. */
export async function serviceForTest(
  name: string,
  env: Record<string, string>,
  checkout = root,
): Promise<ServiceUnderTest> {
  let service: ServiceUnderTest;
  do service = serviceOn(await freePort(), name, env, checkout);
  while (
    // Between finding a free port and listening there somebody else may have taken it.
    !(await startedUnless(service, "EADDRINUSE"))
  );
  return service;
}

/** Whether it has started; false when it ended for this reason. */
async function startedUnless(service: ServiceUnderTest, reason: string): Promise<boolean> {
  try {
    await service.start();
    return true;
  } catch (err) {
    if (!service.errors().includes(reason)) throw err;
    return false;
  }
}

function serviceOn(
  port: number,
  name: string,
  env: Record<string, string>,
  checkout: string,
): ServiceUnderTest {
  const url = `http://127.0.0.1:${port}`;
  const written: Written = { output: [], errors: [] };
  let child: Child | undefined;
  const service: ServiceUnderTest = {
    url,
    output: () => Buffer.concat(written.output).toString(),
    errors: () => Buffer.concat(written.errors).toString(),
    exited: async () => (await child?.exited) ?? "never started",
    stop: async () => child?.stop(),
    kill: async () => child?.kill(),
    start: async () => {
      const script = join(checkout, "cmd", name, "main.ts");
      child = launch(script, [], { ...env, HTTP_PORT: String(port) }, written);
      let ended: string | undefined;
      void child.exited.then((how) => {
        ended = how;
      });
      await waitFor(
        async () => {
          if (ended !== undefined) return true;
          return (await fetch(`${url}/readyz`)).status === 200;
        },
        { what: `${name} to be ready` },
      );
      if (ended !== undefined) throw new Error(`${name} ended: ${ended}\n${service.errors()}`);
    },
  };
  return service;
}

/** Runs `cmd/<name>/main.ts` to its end. @throws Error with what it wrote when it fails. */
export async function runForTest(
  name: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const written: Written = { output: [], errors: [] };
  const child = launch(join(root, "cmd", name, "main.ts"), args, env, written);
  const [how] = await Promise.all([child.exited, child.closed]);
  if (how !== "exit code 0") throw new Error(`${name} ended: ${how}\n${Buffer.concat(written.errors)}`);
  return Buffer.concat(written.output).toString();
}
