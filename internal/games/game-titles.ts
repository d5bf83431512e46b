import { sql } from "kysely";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import type { Log } from "../service/log.ts";
import { isUnavailable, Unavailable } from "../service/unavailable.ts";

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
 * Keeps the titles of all clients' games in memory; while Postgres is away the last ones stay in use. It polls, like the
 * registry of event types and for the same reasons: a poll reads one number per client, and the titles of those whose
 * number has changed.
 */
export class GameTitles {
  readonly #db: Database;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  readonly #catalogues = new Map<string, Catalogue>();
  #isLoaded = false;
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** Starts to load at once and goes on until closed. Does not wait, so Postgres may start later. */
  static start(db: Database, log: Log): GameTitles {
    const titles = new GameTitles(db, log);
    titles.#poll();
    return titles;
  }

  /**
   * A game's current title; undefined for one without. A client that has named no game gets the default client's titles.
   * @throws Unavailable until all titles were read once
   */
  titleOf(client: string, game: number): string | undefined {
    const { problem } = this;
    if (problem !== undefined) throw new Unavailable(problem, { cause: this.#failure });
    const own = this.#catalogues.get(client);
    const catalogue = own === undefined || own.titles.size === 0 ? this.#catalogues.get(defaultClient) : own;
    return catalogue?.titles.get(game);
  }

  /** Why nothing is known yet, else undefined: for readiness. */
  get problem(): string | undefined {
    if (this.#isLoaded) return undefined;
    return `the titles of games are not loaded yet${this.#failure === undefined ? "" : `: ${this.#failure.message}`}`;
  }

  /** Stops polling; resolves when no query is running. */
  async close(): Promise<void> {
    this.#stopping.abort(new Unavailable("the titles were closed"));
    clearTimeout(this.#timer);
    await this.#running;
  }

  #poll(): void {
    this.#running = this.#look().finally(() => {
      if (!this.#stopping.signal.aborted) this.#timer = setTimeout(() => this.#poll(), pollMs).unref();
    });
  }

  async #look(): Promise<void> {
    try {
      await this.#load();
      this.#isLoaded = true;
      if (this.#failure !== undefined) this.#log.info("the titles of games are up to date again");
      this.#failure = undefined;
    } catch (err) {
      if (this.#failure === undefined && !this.#stopping.signal.aborted)
        if (isUnavailable(err))
          this.#log.warn({ err }, "the titles of games cannot be read: the last known ones go on");
        else
          this.#log.error(
            { err },
            "the titles of games cannot be read, this is a bug: the last known ones go on",
          );
      this.#failure = err instanceof Error ? err : new Error(String(err));
    }
  }

  async #load(): Promise<void> {
    try {
      const query = this.#db.selectFrom("game_versions").select(["client_id", "version"]);
      for (const { client_id: client, version } of await query.execute(this.#bounds())) {
        if (this.#catalogues.get(client)?.version === version) continue;
        // They may be newer than the version; then the next poll reads them again.
        const { rows } = await sql<{ id: string; title: string }>`
          select id, title from games where client_id = ${client}`.execute(this.#db, this.#bounds());
        const titles = new Map(rows.map(({ id, title }) => [Number(id), title]));
        this.#catalogues.set(client, { version, titles });
        this.#log.info({ client, games: titles.size }, "titles of games loaded");
      }
    } catch (err) {
      throw asUnavailable(err);
    }
  }

  #bounds(): { readonly signal: AbortSignal } {
    return { signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(statementMs)]) };
  }
}
