import type { Database } from "../postgres/connect.ts";
import { type Counts, type ErasureRecord, Erasures } from "./erasures.ts";
import { eraseLetters, type LetterErasureOptions } from "./letters.ts";
import type { Person } from "./person.ts";
import { type Remains, remaining } from "./remains.ts";
import { eraseRetries } from "./retries.ts";

export interface ErasureOptions extends LetterErasureOptions {
  readonly db: Database;
}

/** What an erasure did, and where the person still is. */
export interface Erasure extends ErasureRecord {
  /** Of this time alone, by place. */
  readonly done: Counts;
  readonly remains: readonly Remains[];
}

/**
 * Takes a player's e-mail and last sign-in out of all that is kept: the player, the dead letters, the archive, the
 * recorded answers to deliveries, and those that wait to be tried again. The record of it holds
 * none of it. What lies in the log, and on the way to it, stays until it goes by itself, and comes into the archive
 * without the player. Done again it finds what was made since, and goes on where it was cut off.
 *
 * @throws Unavailable, and the signal's reason
 */
export async function erasePlayer(client: string, player: number, options: ErasureOptions): Promise<Erasure> {
  const { db, nc, by, log, signal } = options;
  const erasures = new Erasures(db);
  const emails = await erasures.emails(client, player, signal);
  const person: Person = { client, player, emails };
  // First what can name the person in free text: cut off later, nobody knows the e-mails any more.
  const letters = await eraseLetters(person, 1, options);
  const wasThere = await erasures.begin(client, player, by, signal);
  const rows = await erasures.fromArchive(client, player, signal);
  const retries = await eraseRetries(person, options);
  // Of events that were on their way meanwhile.
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
