import { setTimeout as sleep } from "node:timers/promises";
import { isCasinoType } from "../../internal/casino/event.ts";
import { customEvents } from "../../internal/generator/custom.ts";
import { type MakeEvents, randomEvents } from "../../internal/generator/events.ts";
import { generatorFlags } from "../../internal/generator/flags.ts";
import { generate } from "../../internal/generator/generate.ts";
import { keepRawStream } from "../../internal/generator/raw-stream.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { setVariables } from "../../internal/service/config.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import type { Log } from "../../internal/service/log.ts";

/** How long the answers for what was published may take once it is to stop. */
const farewellMs = 2_000;

interface Wanted {
  readonly type?: string;
  readonly client?: string;
  readonly currencies?: readonly string[];
}

/** What to make. Only types that are not built in are looked up, so the others need no Postgres. */
async function eventsOf(
  { type, client = "casino", currencies }: Wanted,
  databaseUrl: string,
  log: Log,
): Promise<MakeEvents> {
  if (type === undefined || isCasinoType(type))
    return (random, now) =>
      randomEvents(random, now, { ...(type && { type }), ...(currencies && { currencies }) });
  await using db = connectPostgres(databaseUrl, "generator", log, { max: 1 });
  return await customEvents(db, client, type);
}

await runService({
  name: "generator",
  summary: "publishes random events.",
  variables: ["NATS_URL", "NATS_CREDS", "DATABASE_URL", ...streamVariables],
  flags: generatorFlags,
  usesRunningUp: true,
  async start({ config, flags, log, stopping, onClose }) {
    const events = await eventsOf(flags, config.DATABASE_URL, log);
    const nc = await connectNats("generator", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const pointedAt = setVariables(["NATS_URL"]).length > 0;
    const streams = await keepRawStream({ nc, config, log, pointedAt });
    const publisher = new Publisher(nc, { onNoStream: () => void streams?.restore() });
    onClose("publisher", () => publisher.close());
    const generating = generate({ publisher, log, signal: stopping, ...flags, events });
    onClose("events on their way", () => Promise.race([generating, sleep(farewellMs)]));
    await generating;
    return "done";
  },
});
