import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { Polling } from "../postgres/polling.ts";
import type { Log } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";

/** A client's titles by id. */
interface Catalogue {
  readonly version: string;
  readonly titles: ReadonlyMap<number, string>;
}

/** The client whose titles apply to clients that have named no game. */
const defaultClient = "casino";

/** How long between two polls: a changed title is used this soon. */
const pollMs = 1_000;
/** How long one statement may take. */
const statementMs = 10_000;

/**
 * Keeps the titles of all clients' games in memory; while Postgres is away the last ones stay in use. A poll reads one
 * number per client, and the titles of those whose number has changed.
 */
export class GameTitles {
  readonly #db: Database;
  readonly #log: Log;
  readonly #catalogues = new Map<string, Catalogue>();
  readonly #polling: Polling;

  private constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
    const what = "the titles of games";
    this.#polling = new Polling({
      ...{ what, everyMs: pollMs, statementMs, log },
      load: (bounds) => this.#load(bounds),
    });
  }

  /** Starts to load at once and goes on until closed. Does not wait, so Postgres may start later. */
  static start(db: Database, log: Log): GameTitles {
    return new GameTitles(db, log);
  }

  /**
   * A game's current title; undefined for one without. A client that has named no game gets the default client's titles.
   * @throws Unavailable until all titles were read once
   */
  titleOf(client: string, game: number): string | undefined {
    const { problem } = this;
    if (problem !== undefined) throw new Unavailable(problem, { cause: this.#polling.failure });
    const own = this.#catalogues.get(client);
    const catalogue = own === undefined || own.titles.size === 0 ? this.#catalogues.get(defaultClient) : own;
    return catalogue?.titles.get(game);
  }

  /** Why nothing is known yet, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#polling.problem;
  }

  /** Stops polling; resolves when no query is running. */
  close(): Promise<void> {
    return this.#polling.close();
  }

  async #load(bounds: () => AbortSignal): Promise<void> {
    return asking(undefined, async () => {
      const query = this.#db.selectFrom("game_versions").select(["client_id", "version"]);
      for (const { client_id: client, version } of await query.execute({ signal: bounds() })) {
        if (this.#catalogues.get(client)?.version === version) continue;
        // They may be newer than the version; then the next poll reads them again.
        const { rows } = await sql<{ id: string; title: string }>`
          select id, title from games where client_id = ${client}`.execute(this.#db, { signal: bounds() });
        const titles = new Map(rows.map(({ id, title }) => [Number(id), title]));
        this.#catalogues.set(client, { version, titles });
        this.#log.info({ client, games: titles.size }, "titles of games loaded");
      }
    });
  }
}
