import { runService } from "../../internal/lifecycle.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";

await runService({
  name: "migrate",
  summary: "brings the database to the schema of this version and ends.",
  variables: ["DATABASE_URL"],
  async start({ config, log, onClose }) {
    // A migration of a large table takes its time, and so does waiting for another process that migrates.
    const db = connectPostgres(config.DATABASE_URL, "migrate", log, { max: 1, statementTimeoutMs: 0 });
    onClose("Postgres", () => db.destroy());
    const applied = await migrate(db);
    log.info(
      { applied },
      applied.length === 0 ? "the schema is up to date" : "the schema was brought up to date",
    );
    return "done";
  },
});
