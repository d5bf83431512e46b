import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig } from "../../internal/config.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { createLog } from "../../internal/log.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { readCommand, usage } from "../../internal/proof/command.ts";
import { printProof } from "../../internal/proof/print.ts";
import { prove } from "../../internal/proof/prove.ts";
import { isUnavailable, Unavailable } from "../../internal/unavailable.ts";

const connectWithinMs = 5_000;
/** A count over all rows takes longer than what the services ask. */
const statementTimeoutMs = 300_000;
// What it has to say it says in its own words.
const quiet = createLog("prove", "silent");

// Whoever read it, `head` for one, has read enough.
process.stdout.on("error", () => process.exit(0));
try {
  const command = readCommand(process.argv.slice(2));
  if (command.help) {
    process.stdout.write(usage);
  } else {
    const config = readConfig(["NATS_URL", "NATS_CREDS", "DATABASE_URL", "ARCHIVE_RETENTION"]);
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const)
      process.once(name, () => stop.abort(new Unavailable(`Stopped by ${name}: nothing is proved.`)));
    await using open = new AsyncDisposableStack();
    const patience = AbortSignal.any([stop.signal, AbortSignal.timeout(connectWithinMs)]);
    const nc = await connectNats("prove", config, quiet, patience).catch((err: unknown) => {
      throw patience.aborted ? new Unavailable("NATS is away: check NATS_URL.", { cause: err }) : err;
    });
    open.defer(() => disconnect(nc));
    const db = open.use(connectPostgres(config.DATABASE_URL, "prove", quiet, { statementTimeoutMs }));
    const proof = await prove({
      nc,
      db,
      archiveRetentionMs: config.ARCHIVE_RETENTION,
      waitMs: command.waitMs,
      sinceMs: command.sinceMs,
      names: command.names,
      signal: stop.signal,
    });
    process.stdout.write(command.json ? `${JSON.stringify(proof)}\n` : printProof(proof));
    process.exitCode = proof.holds ? 0 : 1;
  }
} catch (err) {
  const isUsage = err instanceof UsageError || err instanceof ConfigError;
  if (!isUsage && !isUnavailable(err)) throw err;
  process.stderr.write(`prove: ${err.message}\n${isUsage ? "--help shows the flags.\n" : ""}`);
  process.exitCode = isUsage ? 78 : 69;
}
