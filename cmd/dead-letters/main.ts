import { LetterStore } from "../../internal/dead-letters/store.ts";
import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { createLog } from "../../internal/service/log.ts";
import { Progress } from "../../internal/service/progress.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { deadLettersCommand } from "./command.ts";
import { openDryRunRules } from "./dry-run-rules.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "dead-letters",
  build: deadLettersCommand,
  variables: [...natsVariables, "DATABASE_URL", "EVENT_MAX_AHEAD"],
  async run(command, { say, ...given }) {
    // The command prints its own messages.
    const tools = { ...given, log: createLog(given.name, "silent") };
    const nc = await connectOnce(tools);
    const publisher = new Publisher(nc);
    tools.onClose("publisher", () => publisher.close());
    using progress = new Progress(tools.name);
    await run(command, {
      ...tools,
      store: new LetterStore(nc),
      publish: (message) => publisher.publish(message),
      rules: openDryRunRules(tools, nc),
      say(text) {
        progress.clear();
        say(text);
      },
      progress,
    });
  },
});
