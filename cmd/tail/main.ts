import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { countBySubject } from "../../internal/jetstream/stream-state.ts";
import { finalStage, stageStream } from "../../internal/messages/subjects.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { tailCommand } from "./command.ts";
import { refuseUnknown } from "./filter.ts";
import { TailLines } from "./line.ts";

await runCommand({
  name: "tail",
  build: tailCommand,
  variables: [...natsVariables, "DATABASE_URL"],
  async run({ client, type, sinceMs, limit, json }, { say, ...tools }) {
    const { config, remark } = tools;
    const nc = await connectOnce(tools);
    const stream = stageStream(finalStage);
    const filter = `casino.event.${finalStage}.${client ?? "*"}.${type ?? "*"}`;
    const stored = await countBySubject(nc, stream, filter); // throws where the stream is missing
    if (stored.size === 0) {
      await refuseUnknown({ client, type }, config.DATABASE_URL, remark);
      remark(`tail: ${stream} has no such event yet; the first is shown when it comes.\n`);
    }
    // Its own ordered consumer ends with this process and takes no events from others.
    const consumer = await jetstream(nc).consumers.get(stream, {
      filter_subjects: filter,
      ...(sinceMs === undefined
        ? { deliver_policy: DeliverPolicy.New }
        : {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: new Date(Date.now() - sinceMs).toISOString(),
          }),
    });
    // Deleted before the connection closes; otherwise the server would keep it for five minutes.
    tools.onClose("consumer", () => consumer.delete().catch(() => undefined));
    const lines = new TailLines();
    const messages = await consumer.consume();
    tools.signal.addEventListener("abort", () => messages.stop());
    if (tools.signal.aborted) messages.stop();
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const { subject, data, time } of messages) {
      say(json ? `${new TextDecoder().decode(data)}\n` : `${lines.lineOf(subject, data, time.getTime())}\n`);
      left -= 1;
      if (left === 0) break;
    }
  },
});
