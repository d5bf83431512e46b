import { runService } from "../../internal/lifecycle.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";

await runService({
  name: "migrate",
  summary: "brings the database to the schema of this version and ends.",
  variables: ["DATABASE_URL"],
  async start({ config, log, onClose }) {
    const db = connectPostgres(config.DATABASE_URL, "migrate", log, 1);
    onClose("Postgres", () => db.destroy());
    const applied = await migrate(db);
    log.info(
      { applied },
      applied.length === 0 ? "the schema is up to date" : "the schema was brought up to date",
    );
    return "done";
  },
});
