import { once } from "node:events";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { type Run, runService } from "./lifecycle.ts";
import { Unavailable } from "./unavailable.ts";

// A service that lifecycle.test.ts runs as a process. --do selects what it does; it writes to stdout what it closes.

type FixtureRun = Omit<Run<"NATS_URL" | "RATES_URL", Record<never, never>>, "flags">;

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

/** Opens something that reports when it is closed. */
function open(run: FixtureRun, what: string, close: () => unknown = () => undefined): void {
  run.onClose(what, async () => {
    await close();
    // Closing takes a while, as for real connections.
    await turn();
    say(`closed ${what}`);
  });
}

const never = (): Promise<never> => new Promise(() => undefined);

async function failing(run: FixtureRun, err: Error): Promise<never> {
  open(run, "first");
  open(run, "second");
  throw err;
}

const scenarios: Readonly<Record<string, (run: FixtureRun) => Promise<"done" | "running">>> = {
  run: async (run) => {
    for (const what of ["first", "second", "third"]) open(run, what);
    run.log.info("ready");
    return "running";
  },
  finish: async (run) => {
    open(run, "first");
    open(run, "second");
    return "done";
  },
  "use a talkative library": async () => {
    const { console: library } = globalThis;
    library.error("a connection failed %s", "in the background");
    library.log("reader closed");
    return "done";
  },
  "stop itself": async (run) => {
    open(run, "first");
    run.stop("enough");
    return "running";
  },
  "not start": (run) => failing(run, new Error("the port is taken")),
  "not be let in": (run) => failing(run, new Unavailable("NATS refuses the credentials")),
  trip: (run) => failing(run, new TypeError("it is undefined")),
  "hang at its end": async (run) => {
    open(run, "first");
    open(run, "second", never);
    open(run, "third");
    run.log.info("ready");
    return "running";
  },
  "fail at its end": async (run) => {
    open(run, "first");
    open(run, "second", () => Promise.reject(new Error("broken")));
    open(run, "third");
    return "done";
  },
  "start for ever": async (run) => {
    open(run, "first");
    run.log.info("starting");
    await sleep(1e9, undefined, { signal: run.signal });
    return "running";
  },
  "open more during its stop": async (run) => {
    const opened = Promise.withResolvers<void>();
    open(run, "first");
    open(run, "second", () => opened.promise);
    run.log.info("starting");
    await once(run.signal, "abort");
    open(run, "third");
    opened.resolve();
    return "running";
  },
  "close slowly": async (run) => {
    open(run, "first", () => once(process, "message"));
    process.on("SIGTERM", () => say("heard SIGTERM"));
    process.on("SIGINT", () => say("heard SIGINT"));
    run.log.info("ready");
    return "running";
  },
  "be stuck": async (run) => {
    open(run, "first");
    run.stuck(new Error("it does not come back"));
    return never();
  },
  throw: async (run) => {
    setImmediate(() => {
      throw new Error("a bug");
    });
    open(run, "first");
    return never();
  },
  reject: async (run) => {
    void Promise.reject(new Error("a forgotten bug"));
    open(run, "first");
    return never();
  },
};

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error("be a number");
  return Number(text);
}

// Keeps the process alive, as a connection does.
setInterval(() => undefined, 1_000);

const scenario = process.argv[3] ?? "";
if (process.argv.includes("--late")) {
  await once(process, "disconnect");
  process.argv.splice(process.argv.indexOf("--late"), 1);
}
await runService(
  {
    name: "fixture",
    summary: "does what it is told.",
    variables: ["NATS_URL", "RATES_URL", "HTTP_PORT", "NATS_URL"],
    port: 4321,
    flags: (program, reading) =>
      program
        .addOption(reading.option("--do <DO>", "what to do", String))
        .addOption(reading.option("--count <N>", "a number", count))
        .option("--two-words <W>", "a text"),
    check: ({ RATES_URL }) => (RATES_URL === "http://wrong" ? { RATES_URL: "be right" } : {}),
    start: async (run) => {
      const act = scenarios[scenario];
      if (act !== undefined) return act(run);
      say(JSON.stringify({ flags: run.flags, config: run.config }));
      return "done";
    },
  },
  // Shorter than in production, so that the test need not wait.
  scenario === "hang at its end" ? { shutdownDeadlineMs: 100 } : undefined,
);
