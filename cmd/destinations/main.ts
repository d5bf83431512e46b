import { openPostgres } from "../../internal/postgres/connect.ts";
import { ConfigError } from "../../internal/service/config.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { openWebhooks, webhookVariables } from "../../internal/webhooks/webhooks.ts";
import { destinationsCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "destinations",
  build: destinationsCommand,
  variables: ["DATABASE_URL", ...webhookVariables],
  async run(command, tools) {
    const { DELIVERY_KEY: keys } = tools.config;
    const webhooks = openWebhooks(tools, openPostgres(tools, { max: 1 }));
    if (webhooks === undefined || keys === undefined)
      throw new ConfigError(["DELIVERY_KEY must be set, to the same value as for gateways and senders."]);
    await run(command, { ...tools, webhooks, box: new SecretBox(keys) });
  },
});
