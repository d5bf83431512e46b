import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { databaseUsers, ensureRoles } from "../../internal/postgres/roles.ts";
import { runService } from "../../internal/service/lifecycle.ts";

await runService({
  name: "migrate",
  summary:
    "brings the database to the schema of this version, gives the services' roles their rights, and ends.",
  variables: ["DATABASE_URL", "DATABASE_PASSWORDS"],
  check: ({ DATABASE_PASSWORDS = {} }) => {
    const unknown = Object.keys(DATABASE_PASSWORDS).filter(
      (name) => !databaseUsers.some((user) => user === name),
    );
    return unknown.length === 0
      ? {}
      : { DATABASE_PASSWORDS: `name only ${databaseUsers.join(", ")}, not ${unknown.join(", ")}` };
  },
  async start({ config, log, onClose }) {
    // Migrating a large table takes its time, and so does waiting for another process that migrates.
    const db = connectPostgres(config.DATABASE_URL, "migrate", log, {
      max: 1,
      statementTimeoutMs: 0,
      // A signal lets it finish within the time that a stop has.
      farewellMs: 3_600_000,
    });
    onClose("Postgres", () => db.destroy());
    const applied = await migrate(db);
    log.info(
      { applied },
      applied.length === 0 ? "the schema is up to date" : "the schema was brought up to date",
    );
    // Not a migration: roles belong to the whole server, and may come and go at any time.
    for (const problem of await ensureRoles(db, config.DATABASE_PASSWORDS)) log.warn(problem);
    return "done";
  },
});
