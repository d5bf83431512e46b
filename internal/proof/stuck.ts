import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { findStuck } from "../jetstream/stuck-messages.ts";
import { apartDurable, apartStream, apartSubject, stageFilter, stageStream } from "../messages/subjects.ts";
import { Names } from "./names.ts";
import { waitingIn } from "./waiting.ts";

/** Time between two looks: only what has not changed is stuck. */
const secondLookMs = 250;

/** The queues with their consumers. Events that wait apart share one stream, each step's with a consumer of its own. */
const mailboxes = layout.flatMap(({ name, takesFrom }) => [
  { stream: stageStream(takesFrom), name, filter: stageFilter(takesFrom) },
  { stream: apartStream, name: apartDurable(name), filter: apartSubject(name, "*") },
]);

/** Finds messages in queues whose consumers report no work: nobody would ever get them. @throws Unavailable */
export async function stuckMessages(nc: NatsConnection, most: number): Promise<Names> {
  const stuck = new Names(most);
  for (const mailbox of mailboxes) {
    const { stream, filter } = mailbox;
    const first = await findStuck(nc, mailbox);
    if (first === undefined || first === "no consumer") continue;
    await sleep(secondLookMs);
    const second = await findStuck(nc, mailbox);
    if (second === undefined || second === "no consumer") continue;
    if (second.firstSeq !== first.firstSeq || second.lastSeq !== first.lastSeq) continue;
    const found: number[] = [];
    for await (const { seq } of waitingIn(nc, stream, filter, second)) found.push(seq);
    for (const seq of found.sort((a, b) => a - b)) stuck.add(`${stream} ${seq}`);
  }
  return stuck;
}
