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
  command("up", "runs everything on this machine until Ctrl-C"),
  command("generator", "publishes random events"),
  command("gateway", "accepts events over HTTP and answers questions about them"),
  command("enricher", "runs the steps; start as many as needed"),
  command("materializer", "computes the aggregates and serves them over HTTP and NATS"),
  command("logger", "writes final events to stdout as JSON lines"),
  command("archiver", "stores final events in Postgres, each once"),
  command("sender", "sends final events to clients' destinations as signed webhooks"),
  command("receiver", "receives and verifies webhooks on this machine, for a first try"),
  command("migrate", "migrates the database to this version's schema"),
  command("samples", "adds sample clients, players, games and event types"),
  command("backup", "saves everything in Postgres to a file"),
  command("restore", "loads a backup into a database, all of it or nothing"),
  command("rates", "serves the sample rates API, with fixed made-up rates"),
  command("clients", "clients and their API keys: add, disable, remove; create, revoke"),
  command("players", "a client's players: import, list, show, erase"),
  command("games", "a client's games: import, list, show"),
  command("destinations", "clients' webhook destinations: add, change, test, rotate, replay"),
  command("deliveries", "the result of each delivery attempt: list, resend"),
  command("event-types", "custom event types and their schemas"),
  command("top", "shows the live pipeline in a terminal"),
  command("dead-letters", "dead letters: list, show, replay, discard"),
  command("prove", "checks that every accepted event is accounted for exactly once"),
  command("tail", "shows final events as they come, without taking lines from the logger"),
  command("healthcheck", "asks one URL of a service for its health, for containers"),
  {
    name: "bench",
    summary: "runs the benchmarks and relates them to the broker's limit",
    file: "bench/main.ts",
  },
  {
    name: "chaos",
    summary: "injects faults under load and checks that nothing is lost or doubled",
    file: "test/chaos/main.ts",
  },
];
