import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig } from "../../internal/config.ts";
import { readCommand, usage } from "../../internal/dead-letters/command.ts";
import { confirm } from "../../internal/dead-letters/confirm.ts";
import { openOracle } from "../../internal/dead-letters/oracle.ts";
import { CommandError, runCommand } from "../../internal/dead-letters/run-command.ts";
import { LetterStore } from "../../internal/dead-letters/store.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { createLog } from "../../internal/log.ts";
import { isUnavailable, Unavailable } from "../../internal/unavailable.ts";

const connectWithinMs = 5_000;
// What it has to say it says in its own words.
const quiet = createLog("dead-letters", "silent");

// Whoever read it, `head` for one, has read enough.
process.stdout.on("error", () => process.exit(0));
try {
  const command = readCommand(process.argv.slice(2));
  if (command.do === "help") {
    process.stdout.write(usage);
  } else {
    const config = readConfig(["NATS_URL", "NATS_CREDS", "DATABASE_URL", "LOG_LEVEL"]);
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(name)));
    await using open = new AsyncDisposableStack();
    const patience = AbortSignal.any([stop.signal, AbortSignal.timeout(connectWithinMs)]);
    const nc = await connectNats("dead-letters", config, quiet, patience).catch((err: unknown) => {
      throw patience.aborted ? new Unavailable("NATS is away: check NATS_URL.", { cause: err }) : err;
    });
    open.defer(() => disconnect(nc));
    const publisher = open.adopt(new Publisher(nc), (it) => it.close());
    await runCommand(command, {
      store: new LetterStore(nc),
      publish: (message) => publisher.publish(message),
      oracle: open.use(openOracle(nc, config.DATABASE_URL, quiet)),
      log: createLog("dead-letters", config.LOG_LEVEL),
      say: (text) => process.stdout.write(text),
      confirm: (question) => confirm(question, stop.signal),
      signal: stop.signal,
    });
  }
} catch (err) {
  const isUsage = err instanceof UsageError || err instanceof ConfigError;
  if (!isUsage && !(err instanceof CommandError) && !isUnavailable(err)) throw err;
  process.stderr.write(`dead-letters: ${err.message}\n${isUsage ? "--help shows the commands.\n" : ""}`);
  process.exitCode = isUsage ? 78 : 1;
}
