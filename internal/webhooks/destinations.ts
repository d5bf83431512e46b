import { randomInt } from "node:crypto";
import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import type { Destination, DestinationSettings } from "./destination.ts";
import { columnsOf, readDestination, readRows, stateOf } from "./destination-rows.ts";
import { SealError, type SecretBox } from "./secret-box.ts";
import { newSecret } from "./sign.ts";

/** Each destination is a durable consumer of the log. */
export const mostOfClient = 50;
/** How long the previous secret still signs after a rotation, in ms. */
const defaultOverlapMs = 86_400_000;

/** All destinations at one moment, for the sender. */
export interface AllDestinations {
  readonly destinations: readonly Destination[];
  /** Destinations that cannot be read: nothing can be sent there now, but their consumers must stay. */
  readonly unreadable: readonly { readonly id: string; readonly client: string; readonly because: string }[];
}

/** The client is not registered, or already has the maximum number of destinations. */
export class DestinationRefused extends Error {
  override readonly name = "DestinationRefused";
}

/**
 * The destinations in Postgres. Every method rejects with `Unavailable` while Postgres is away, and with `SealError` if
 * none of our keys decrypts a secret. For `client`, undefined means every client.
 */
export class Destinations {
  readonly #db: Database;
  readonly #box: SecretBox;

  constructor(db: Database, box: SecretBox) {
    this.#db = db;
    this.#box = box;
  }

  /** Lists destinations by id. @param page those after an id, up to a limit; without it all */
  async list(
    client: string | undefined,
    page: { readonly after?: string | undefined; readonly limit?: number } = {},
    signal?: AbortSignal,
  ): Promise<readonly Destination[]> {
    const rows = await readRows(this.#db, { client, ...page }, signal);
    return rows.map((row) => readDestination(row, this.#box));
  }

  async find(id: string, client: string | undefined, signal?: AbortSignal): Promise<Destination | undefined> {
    const rows = await readRows(this.#db, { id, client }, signal);
    return rows.map((row) => readDestination(row, this.#box))[0];
  }

  /** All clients' destinations, enabled or not, for the sender. One that cannot be read does not hide the others. */
  async all(signal?: AbortSignal): Promise<AllDestinations> {
    const destinations: Destination[] = [];
    const unreadable: { id: string; client: string; because: string }[] = [];
    for (const row of await readRows(this.#db, {}, signal))
      try {
        destinations.push(readDestination(row, this.#box));
      } catch (err) {
        if (!(err instanceof SealError)) throw err;
        unreadable.push({ id: row.id, client: row.client_id, because: err.message });
      }
    return { destinations, unreadable };
  }

  /** @returns the destination with its secret, which is shown only once. @throws DestinationRefused */
  async create(client: string, settings: DestinationSettings, signal?: AbortSignal): Promise<Destination> {
    const id = newId();
    const secret = newSecret();
    return asking(signal, () =>
      this.#db.transaction().execute(async (trx) => {
        // The lock serializes requests, so that two at once do not both take the last place.
        await sql`select pg_advisory_xact_lock(hashtextextended(${`destinations of ${client}`}, 0))`.execute(
          trx,
        );
        const owner = await trx
          .selectFrom("clients")
          .select("id")
          .where("id", "=", client)
          .executeTakeFirst();
        if (owner === undefined) throw new DestinationRefused(`There is no client ${client}.`);
        const { count } = await trx
          .selectFrom("destinations")
          .select((of) => of.fn.countAll<string>().as("count"))
          .where("client_id", "=", client)
          .executeTakeFirstOrThrow();
        if (Number(count) >= mostOfClient)
          throw new DestinationRefused(
            `A client has at most ${mostOfClient} destinations: remove one first.`,
          );
        await trx
          .insertInto("destinations")
          .values({
            id,
            client_id: client,
            ...columnsOf(id, settings, this.#box),
            disabled_at: settings.enabled ? null : sql<Date>`now()`,
          })
          .execute();
        await trx
          .insertInto("destination_secrets")
          .values({ destination_id: id, secret: this.#box.seal(secret, id) })
          .execute();
        // Before the commit: if it cannot be returned, with its only secret, there must be none.
        return this.#found(id, signal, trx);
      }),
    );
  }

  /** Replaces the given settings. @returns undefined if there is no such destination */
  async update(
    id: string,
    client: string | undefined,
    change: Partial<DestinationSettings>,
    signal?: AbortSignal,
  ): Promise<Destination | undefined> {
    const changed = await asking(signal, () =>
      this.#db
        .updateTable("destinations")
        .set({
          ...columnsOf(id, change, this.#box),
          ...(change.enabled === undefined ? {} : stateOf(change.enabled)),
          updated_at: sql`now()`,
        })
        .where("id", "=", id)
        .$if(client !== undefined, (query) => query.where("client_id", "=", client ?? ""))
        .executeTakeFirst(),
    );
    return changed.numUpdatedRows === 1n ? this.#found(id, signal) : undefined;
  }

  /** @returns whether it existed */
  async remove(id: string, client: string | undefined, signal?: AbortSignal): Promise<boolean> {
    const gone = await asking(signal, () =>
      this.#db
        .deleteFrom("destinations")
        .where("id", "=", id)
        .$if(client !== undefined, (query) => query.where("client_id", "=", client ?? ""))
        .executeTakeFirst(),
    );
    return gone.numDeletedRows === 1n;
  }

  /**
   * Gives a destination a new secret. The previous one also signs for a while, until the receiver has the new one;
   * older ones end now.
   * @returns the new secret, which is shown only once; undefined if there is no such destination
   */
  async rotate(
    id: string,
    client: string | undefined,
    overlapMs: number = defaultOverlapMs,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const secret = newSecret();
    return asking(signal, () =>
      this.#db.transaction().execute(async (trx) => {
        const found = await trx
          .updateTable("destinations")
          .set({ updated_at: sql`now()` })
          .where("id", "=", id)
          .$if(client !== undefined, (query) => query.where("client_id", "=", client ?? ""))
          .executeTakeFirst();
        if (found.numUpdatedRows === 0n) return undefined;
        await trx
          .deleteFrom("destination_secrets")
          .where("destination_id", "=", id)
          .where("expires_at", "is not", null)
          .execute();
        await trx
          .updateTable("destination_secrets")
          .set({ expires_at: sql`now() + ${overlapMs}::float8 * interval '1 ms'` })
          .where("destination_id", "=", id)
          .execute();
        await trx
          .insertInto("destination_secrets")
          .values({ destination_id: id, secret: this.#box.seal(secret, id) })
          .execute();
        return secret;
      }),
    );
  }

  /** Records since when all attempts have failed; keeps a time recorded before. */
  async markFailing(id: string, since: Date, signal?: AbortSignal): Promise<void> {
    await asking(signal, () =>
      this.#db
        .updateTable("destinations")
        .set({ failing_since: since })
        .where("id", "=", id)
        .where("failing_since", "is", null)
        .execute(signal && { signal }),
    );
  }

  async markHealthy(id: string, signal?: AbortSignal): Promise<void> {
    await asking(signal, () =>
      this.#db
        .updateTable("destinations")
        .set({ failing_since: null })
        .where("id", "=", id)
        .where("failing_since", "is not", null)
        .execute(signal && { signal }),
    );
  }

  /**
   * Disables it until somebody enables it again.
   * @param reason a sentence for its client
   * @returns whether it was enabled before: of several senders only one disables and reports it
   */
  async disable(id: string, reason: string, signal?: AbortSignal): Promise<boolean> {
    const disabled = await asking(signal, () =>
      this.#db
        .updateTable("destinations")
        .set({ ...stateOf(false), disabled_reason: reason, updated_at: sql`now()` })
        .where("id", "=", id)
        .where("enabled", "=", true)
        .executeTakeFirst(signal && { signal }),
    );
    return disabled.numUpdatedRows === 1n;
  }

  async #found(id: string, signal: AbortSignal | undefined, db = this.#db): Promise<Destination> {
    const [found] = await readRows(db, { id }, signal);
    if (found === undefined) throw new DestinationRefused(`Destination ${id} was removed meanwhile.`);
    return readDestination(found, this.#box);
  }
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

function newId(): string {
  return Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join("");
}

/** Whether a text has the form of a destination's id. */
export const isDestinationId = (text: string): boolean => /^[a-z0-9]{16}$/.test(text);
