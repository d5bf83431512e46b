import { disconnect } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runPlayersCommand as run } from "./erase.ts";
import { playersCommand } from "./erase-command.ts";

await runCommand({
  name: "players",
  build: playersCommand,
  variables: ["NATS_URL", "NATS_CREDS", "DATABASE_URL"],
  async run(command, { config, open, signal, ...rest }) {
    const log = createLog("players", "warn");
    await run(command, {
      ...rest,
      signal,
      db: open.use(connectPostgres(config.DATABASE_URL, "players", log, { max: 1 })),
      async broker() {
        const nc = await connectOnce("players", config, signal);
        open.defer(() => disconnect(nc));
        const publisher = open.adopt(new Publisher(nc), (it) => it.close());
        return { nc, log, publish: (message) => publisher.publish(message, signal) };
      },
    });
  },
});
