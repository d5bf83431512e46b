import { openPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { databaseUsers, ensureRoles } from "../../internal/postgres/roles.ts";
import { runService } from "../../internal/service/lifecycle.ts";

await runService({
  name: "migrate",
  summary:
    "migrates the database to this version's schema, sets the rights of the services' roles, and ends.",
  variables: ["DATABASE_URL", "DATABASE_PASSWORDS"],
  check: ({ DATABASE_PASSWORDS = {} }) => {
    const unknown = Object.keys(DATABASE_PASSWORDS).filter(
      (name) => !databaseUsers.some((user) => user === name),
    );
    return unknown.length === 0
      ? {}
      : { DATABASE_PASSWORDS: `name only ${databaseUsers.join(", ")}, not ${unknown.join(", ")}` };
  },
  async start(run) {
    const { config, log } = run;
    // Migrating a large table can be slow, and so can waiting for another process that migrates.
    const db = openPostgres(run, {
      max: 1,
      statementTimeoutMs: 0,
      // After a signal it may finish within the time limit of a stop.
      farewellMs: 3_600_000,
    });
    const applied = await migrate(db);
    log.info({ applied }, applied.length === 0 ? "the schema is up to date" : "the schema was migrated");
    // Not a migration, because roles belong to the whole server and may change at any time.
    for (const problem of await ensureRoles(db, config.DATABASE_PASSWORDS)) log.warn(problem);
    return "done";
  },
});
