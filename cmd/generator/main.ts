import { setTimeout as sleep } from "node:timers/promises";
import { isCasinoType } from "../../internal/casino/event.ts";
import { checkClient } from "../../internal/generator/client-check.ts";
import { customEvents } from "../../internal/generator/custom.ts";
import { type MakeEvents, randomEvents } from "../../internal/generator/events.ts";
import { generatorFlags } from "../../internal/generator/flags.ts";
import { generate } from "../../internal/generator/generate.ts";
import { keepRawStream } from "../../internal/generator/raw-stream.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { type Database, openPostgres } from "../../internal/postgres/connect.ts";
import { setVariables } from "../../internal/service/config.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import type { Log } from "../../internal/service/log.ts";
import { Progress } from "../../internal/service/progress.ts";
import { isUnavailable } from "../../internal/service/unavailable.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";

/** How long to wait for outstanding PubAcks once it has to stop. */
const farewellMs = 2_000;

interface Wanted {
  readonly type?: string;
  readonly client?: string;
  readonly currencies?: readonly string[];
}

/** Looks up the named client, if a database is configured. @throws ConfigError */
async function look(client: string | undefined, isPointedAt: boolean, db: Database, log: Log): Promise<void> {
  if (client === undefined || !isPointedAt) return;
  try {
    await checkClient(db, client);
  } catch (err) {
    // Casino events need no Postgres.
    if (!isUnavailable(err)) throw err;
    log.warn({ because: err.message }, `cannot check whether the client ${client} exists`);
  }
}

/** What to generate. Looks up types that are not built in. @throws ConfigError, Unavailable */
async function eventsOf({ type, client = "casino", currencies }: Wanted, db: Database): Promise<MakeEvents> {
  if (type === undefined || isCasinoType(type))
    return (random, now) =>
      randomEvents(random, now, { ...(type && { type }), ...(currencies && { currencies }) });
  return await customEvents(db, client, type);
}

const number = (value: number): string => value.toLocaleString("en-US");

/** How many events of `--count` are stored: a status line on a terminal, else lines of the log. */
function progressOf(log: Log): Progress {
  return process.stderr.isTTY
    ? new Progress("generator")
    : new Progress("generator", { write: (line) => log.info(line.trimEnd()) });
}

await runService({
  name: "generator",
  summary: "publishes random events.",
  variables: [...natsVariables, "DATABASE_URL", ...streamVariables, ...traceVariables],
  flags: generatorFlags,
  usesRunningUp: true,
  async start(run) {
    const { config, flags, log, signal, onClose, besideUp } = run;
    const db = openPostgres(run, { max: 1 });
    await look(flags.client, besideUp || setVariables(["DATABASE_URL"]).length > 0, db, log);
    const events = await eventsOf(flags, db);
    await db.destroy();
    const nc = await openNats(run);
    const traces = await openTraces(run);
    const pointedAt = setVariables(["NATS_URL"]).length > 0;
    const streams = await keepRawStream({ nc, config, log, pointedAt });
    const publisher = new Publisher(nc, { streams });
    onClose("publisher", () => publisher.close());
    using progress = progressOf(log);
    const { count } = flags;
    const onStored = (stored: number): void => {
      // Ends the status line, so that the last log line starts on a new one.
      if (stored === count) progress.clear();
      else progress.show(() => `${number(stored)} of ${number(count ?? 0)} events stored`);
    };
    const generating = generate({
      ...{ publisher, log, signal, ...flags, events, trace: traces },
      ...(count !== undefined && { onStored }),
    });
    onClose("events on their way", () => Promise.race([generating, sleep(farewellMs)]));
    await generating;
    return "done";
  },
});
