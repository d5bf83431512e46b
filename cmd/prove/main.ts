import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { openPostgres } from "../../internal/postgres/connect.ts";
import { prove } from "../../internal/proof/prove.ts";
import { exitCode } from "../../internal/service/exit-code.ts";
import { createLog } from "../../internal/service/log.ts";
import { Progress } from "../../internal/service/progress.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { Unavailable } from "../../internal/service/unavailable.ts";
import { proveCommand } from "./command.ts";
import { printProof } from "./print.ts";

/** Counting all rows takes longer than the services' queries. */
const statementTimeoutMs = 300_000;

await runCommand({
  name: "prove",
  build: proveCommand,
  variables: [...natsVariables, "DATABASE_URL", "ARCHIVE_RETENTION", "DELIVERY_RETENTION"],
  async run(command, { say, ...tools }) {
    const { name, config, signal } = tools;
    try {
      const nc = await connectOnce(tools);
      const db = openPostgres({ ...tools, log: createLog(name, "silent") }, { statementTimeoutMs });
      using progress = new Progress(name);
      const proof = await prove({
        nc,
        waiting: (what) => progress.show(() => `waiting for ${what.join(", ") || "all to be at rest"}`),
        db,
        archiveRetentionMs: config.ARCHIVE_RETENTION,
        deliveryRetentionMs: config.DELIVERY_RETENTION,
        waitMs: command.waitMs,
        sinceMs: command.sinceMs,
        names: command.names,
        signal,
      });
      progress.clear();
      say(command.json ? `${JSON.stringify(proof)}\n` : printProof(proof));
      const isEnough = command.strict ? proof.holds && proof.unchecked.length === 0 : proof.holds;
      process.exitCode = isEnough ? exitCode.ok : exitCode.failed;
    } catch (err) {
      // Not 1, which means that something is missing.
      if (signal.aborted) throw new Unavailable("Stopped: nothing is proved.", { cause: err });
      throw err;
    }
  },
});
