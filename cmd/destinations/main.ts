import { connectPostgres } from "../../internal/postgres/connect.ts";
import { ConfigError } from "../../internal/service/config.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { openWebhooks } from "../../internal/webhooks/webhooks.ts";
import { destinationsCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "destinations",
  build: destinationsCommand,
  variables: ["DATABASE_URL", "DELIVERY_KEY", "DELIVERY_ALLOW_PRIVATE", "DELIVERY_PROXY"],
  async run(command, { config, open, ...rest }) {
    const { DELIVERY_KEY: keys } = config;
    const log = createLog("destinations", "warn");
    const db = open.use(connectPostgres(config.DATABASE_URL, "destinations", log, { max: 1 }));
    const webhooks = openWebhooks(db, config);
    if (webhooks === undefined || keys === undefined)
      throw new ConfigError(["DELIVERY_KEY must be set, to the same value as for gateways and senders."]);
    open.defer(() => webhooks.deliverer.close());
    await run(command, { webhooks, box: new SecretBox(keys), ...rest });
  },
});
