import type { Database } from "../postgres/connect.ts";
import { type Counts, type ErasureRecord, Erasures } from "./erasures.ts";
import { eraseLetters, type LetterErasureOptions } from "./letters.ts";
import type { Person } from "./person.ts";
import { type Remains, remaining } from "./remains.ts";
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
