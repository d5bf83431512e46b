import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll } from "vitest";
import { type Child, follow } from "../../internal/local/child.ts";
import { freePort } from "../../internal/local/free-port.ts";
import { forget, watch } from "./guard.ts";
import { waitFor } from "./wait-for.ts";

const root = join(import.meta.dirname, "../..");
const running = new Set<Child>();
/** All that a service has from the environment of the tests. */
const inherited = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };

afterAll(async () => {
  await Promise.all([...running].map((child) => child.kill()));
});

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
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  let child: Child | undefined;
  const service: ServiceUnderTest = {
    url,
    output: () => Buffer.concat(output).toString(),
    errors: () => Buffer.concat(errors).toString(),
    exited: async () => (await child?.exited) ?? "never started",
    stop: async () => child?.stop(),
    kill: async () => child?.kill(),
    start: async () => {
      const spawned = spawn(process.execPath, [join(checkout, "cmd", name, "main.ts")], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...inherited, LOG_LEVEL: "warn", ...env, HTTP_PORT: String(port) },
      });
      spawned.stdout.on("data", (chunk: Buffer) => output.push(chunk));
      spawned.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
      const mine = follow(spawned, "SIGTERM");
      child = mine;
      running.add(mine);
      watch(mine.pid);
      let ended: string | undefined;
      void mine.exited.then((how) => {
        ended = how;
        forget(mine.pid);
        running.delete(mine);
      });
      await waitFor(
        async () => {
          if (ended !== undefined) return true;
          return (await fetch(`${url}/readyz`)).status === 200;
        },
        { timeout: 60_000, what: `${name} to be ready` },
      );
      if (ended !== undefined) throw new Error(`${name} ended: ${ended}\n${service.errors()}`);
    },
  };
  await service.start();
  return service;
}

/** Runs `cmd/<name>/main.ts` to its end. @throws Error with what it wrote when it fails. */
export async function runForTest(
  name: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const spawned = spawn(process.execPath, [join(root, "cmd", name, "main.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...inherited, LOG_LEVEL: "warn", ...env },
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  spawned.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  spawned.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const mine = follow(spawned, "SIGTERM");
  running.add(mine);
  watch(mine.pid);
  const how = await mine.exited;
  running.delete(mine);
  forget(mine.pid);
  if (how !== "exit code 0") throw new Error(`${name} ended: ${how}\n${Buffer.concat(errors)}`);
  return Buffer.concat(output).toString();
}
