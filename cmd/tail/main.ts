import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { missingClient } from "../../internal/clients/require-client.ts";
import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { countBySubject } from "../../internal/jetstream/stream-state.ts";
import { finalStage, parseEventSubject, stageStream } from "../../internal/messages/subjects.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { missingType } from "../../internal/registry/event-types.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { isObject, readJson } from "../../internal/service/json.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { onOneLine } from "../../internal/service/terminal.ts";
import { isUnavailable } from "../../internal/service/unavailable.ts";
import { type TailCommand, tailCommand } from "./command.ts";

/** Final events as lines for people, with client and type in columns that grow with the longest so far. */
class TailLines {
  #clientWidth = 0;
  #typeWidth = 0;

  /**
   * When the event was stored (UTC), its client, its type and its description.
   * @param storedAt in ms since the epoch
   */
  lineOf(subject: string, payload: Uint8Array, storedAt: number): string {
    const place = parseEventSubject(subject);
    const client = place?.client ?? "?";
    const type = place !== undefined && "type" in place ? place.type : "?";
    this.#clientWidth = Math.max(this.#clientWidth, client.length);
    this.#typeWidth = Math.max(this.#typeWidth, type.length);
    const time = new Date(storedAt).toISOString().slice(11, 23);
    const columns = [time, client.padEnd(this.#clientWidth), type.padEnd(this.#typeWidth)];
    return onOneLine([...columns, sentenceOf(payload)].join("  "));
  }
}

function sentenceOf(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload);
  const body = readJson(text);
  return isObject(body) && "description" in body ? String(body.description) : text;
}

/**
 * For a filter that no stored event matches: it would wait forever for a client or a type that does not exist. Without
 * Postgres, which `tail` does not need otherwise, nobody can tell.
 * @throws CommandError when there is no such client or type
 */
async function refuseUnknown(
  { client, type }: Pick<TailCommand, "client" | "type">,
  databaseUrl: string,
  remark: (text: string) => void,
): Promise<void> {
  if (client === undefined && type === undefined) return;
  const db = connectPostgres(databaseUrl, "tail", createLog("tail", "silent"), { max: 1 });
  try {
    const missing =
      (client === undefined ? undefined : await missingClient(db, client)) ??
      (type === undefined ? undefined : await missingType(db, client, type));
    if (missing !== undefined) throw new CommandError(missing);
  } catch (err) {
    if (!isUnavailable(err)) throw err;
    remark(`tail: Nobody can say whether there is such a client or type: ${err.message}.\n`);
  } finally {
    await db.destroy();
  }
}

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
