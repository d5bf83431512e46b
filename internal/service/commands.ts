/** A command of `croupier`, and the file that runs it, relative to the project's root. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly file: string;
}

const command = (name: string, summary: string): CommandEntry => ({
  name,
  summary,
  file: `cmd/${name}/main.ts`,
});

/** Every command, in the order in which users meet them. */
export const commands: readonly CommandEntry[] = [
  command("up", "everything on this machine, kept running"),
  command("generator", "publishes random events"),
  command("gateway", "events over HTTP, and answers about them"),
  command("enricher", "the steps; start as many as needed"),
  command("materializer", "the aggregates, over HTTP and NATS"),
  command("logger", "final events as JSON lines on stdout"),
  command("archiver", "final events into Postgres, each once"),
  command("sender", "final events to clients' destinations, by signed webhooks"),
  command("receiver", "receives webhooks on this machine and verifies them, for a first try"),
  command("migrate", "brings the database to the schema of this version"),
  command("samples", "clients, players, games and types of event for a first try"),
  command("backup", "writes all that Postgres holds into a file"),
  command("restore", "puts such a file into a database, all of it or nothing"),
  command("rates", "the sample rates API, with fixed made-up rates"),
  command("clients", "clients and their API keys: add, disable, remove; create, revoke"),
  command("players", "the players of a client: import, list, show, erase"),
  command("games", "the games of a client: import, list, show"),
  command("destinations", "where clients have their events sent: add, change, test, rotate, replay"),
  command("deliveries", "what was sent there, and what came of it: list, resend"),
  command("event-types", "custom types of event and their schemas"),
  command("top", "the pipeline as it runs, in a terminal"),
  command("dead-letters", "what was set aside: show, replay, discard"),
  command("prove", "shows that every accepted event is accounted for, each once"),
  command("tail", "shows final events as they come, without taking them from anybody"),
  command("healthcheck", "asks one URL of a service, for containers"),
  {
    name: "bench",
    summary: "the benchmarks, with their ratios to the broker's limit",
    file: "bench/main.ts",
  },
  {
    name: "chaos",
    summary: "breaks everything under load, and checks that nothing is lost or doubled",
    file: "test/chaos/main.ts",
  },
];
