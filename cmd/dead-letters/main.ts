import { LetterStore } from "../../internal/dead-letters/store.ts";
import { disconnect } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { createLog } from "../../internal/service/log.ts";
import { Progress } from "../../internal/service/progress.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { deadLettersCommand } from "./command.ts";
import { openDryRunRules } from "./dry-run-rules.ts";
import { runCommand as run } from "./run.ts";

// The command prints its own messages.
const quiet = createLog("dead-letters", "silent");

await runCommand({
  name: "dead-letters",
  build: deadLettersCommand,
  variables: ["NATS_URL", "NATS_CREDS", "DATABASE_URL", "EVENT_MAX_AHEAD"],
  async run(command, { config, say, ask, open, signal }) {
    const nc = await connectOnce("dead-letters", config, signal);
    open.defer(() => disconnect(nc));
    const publisher = open.adopt(new Publisher(nc), (it) => it.close());
    const progress = open.use(new Progress("dead-letters"));
    await run(command, {
      store: new LetterStore(nc),
      publish: (message) => publisher.publish(message),
      rules: open.use(openDryRunRules(nc, config.DATABASE_URL, config.EVENT_MAX_AHEAD, quiet)),
      log: quiet,
      say(text) {
        progress.clear();
        say(text);
      },
      progress,
      ask,
      signal,
    });
  },
});
