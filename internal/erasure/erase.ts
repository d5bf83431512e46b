import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { apartStream, finalStage, stageStream } from "../messages/subjects.ts";
import type { Database } from "../postgres/connect.ts";
import { type Counts, type ErasureRecord, Erasures } from "./erasures.ts";
import { eraseLetters, type LetterErasureOptions } from "./letters.ts";
import type { Person } from "./person.ts";
import { eraseRetries } from "./retries.ts";

export interface ErasureOptions extends LetterErasureOptions {
  readonly db: Database;
}

/** What an erasure did, and where the person's data remain. */
export interface Erasure extends ErasureRecord {
  /** Of this run alone, by place. */
  readonly done: Counts;
  readonly remains: readonly Remains[];
}

/**
 * Deletes a player's e-mail and last sign-in wherever they are kept: the player, the dead letters, the archive, the
 * recorded answers to deliveries, and deliveries that wait for another attempt. Its record contains neither. Events in
 * the log, and on the way to it, stay until they expire, and enter the archive without the player. A second run finds
 * what was added since, and continues an interrupted one.
 *
 * @throws Unavailable, and the signal's reason
 */
export async function erasePlayer(client: string, player: number, options: ErasureOptions): Promise<Erasure> {
  const { db, nc, by, log, signal } = options;
  const erasures = new Erasures(db);
  const emails = await erasures.emails(client, player, signal);
  const person: Person = { client, player, emails };
  // Free text that may name the person comes first: after an interruption nobody knows the e-mails any more.
  const letters = await eraseLetters(person, 1, options);
  const wasThere = await erasures.begin(client, player, by, signal);
  const rows = await erasures.fromArchive(client, player, signal);
  const retries = await eraseRetries(person, options);
  // Events that were on their way meanwhile.
  const late = await eraseLetters(person, letters.next, options);
  const done = {
    players: wasThere ? 1 : 0,
    events: rows.events,
    delivery_answers: rows.answers,
    delivery_retries: retries,
    dead_letters_rewritten: letters.rewritten + late.rewritten,
    dead_letters_removed: letters.removed + late.removed,
  };
  const record = await erasures.end(client, player, done, signal);
  log.info({ client, player_id: player, by, ...done }, "player erased");
  return { ...record, done, remains: await remaining(nc) };
}

/** A stream that still holds earlier events with the person's data. */
interface Remains {
  readonly stream: string;
  /** All its messages, of all players. */
  readonly messages: number;
  /**
   * Until when it holds its present messages, as an ISO date-time. Null: until the steps have handled them, and then as
   * long as the log keeps them; for the log, when it has no limit of time.
   */
  readonly until: string | null;
}

/** The queues behind the look-up that are not empty, and the log. @throws Unavailable */
async function remaining(nc: NatsConnection): Promise<readonly Remains[]> {
  const stages = layout.map(({ takesFrom }) => takesFrom);
  const named = stages.slice(layout.findIndex(({ name }) => name === "player") + 1);
  const queues = [...named.map(stageStream), apartStream];
  const log = stageStream(finalStage);
  const found = await Promise.all([...queues, log].map((stream) => remainsOf(nc, stream)));
  return found
    .map((it) => (it.stream === log ? it : { ...it, until: null }))
    .filter(({ messages }) => messages > 0);
}

async function remainsOf(nc: NatsConnection, stream: string): Promise<Remains> {
  const { maxAgeMs, messages } = await stateOf(nc, stream);
  return { stream, messages, until: maxAgeMs > 0 ? new Date(Date.now() + maxAgeMs).toISOString() : null };
}
