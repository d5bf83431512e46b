import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runPlayersCommand as run } from "./erase.ts";
import { playersCommand } from "./erase-command.ts";

await runCommand({
  name: "players",
  build: playersCommand,
  variables: [...natsVariables, "DATABASE_URL"],
  async run(command, tools) {
    await run(command, {
      ...tools,
      db: openPostgres(tools, { max: 1 }),
      async broker() {
        const nc = await connectOnce(tools);
        const publisher = new Publisher(nc);
        tools.onClose("publisher", () => publisher.close());
        return { nc, log: tools.log, publish: (message) => publisher.publish(message, tools.signal) };
      },
    });
  },
});
