import { sql } from "kysely";
import type { CustomTypes, DataCheck, Decoded } from "../casino/decode.ts";
import { fieldError } from "../casino/field-error.ts";
import type { Log } from "../log.ts";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { isUnavailable, Unavailable } from "../unavailable.ts";
import { compileDataCheck, RegistrationError } from "./data-check.ts";

/** The registered custom types, as this process knows them. */
export interface EventTypes {
  /**
   * The types that a client can send: its own schema of a type goes before the one for all clients. The look-up throws
   * `Unavailable` while nothing was loaded yet.
   */
  of(client: string): CustomTypes;
  /**
   * Reads an event with the client's types. What they would refuse is read a second time after another look at the
   * table, because whoever registers a type may send its first event within the same second: that is the promise, and
   * it rejects with `Unavailable` when nobody can tell now. All other answers come at once.
   * @param read such as `(types) => decodeRaw(payload, types)`
   */
  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded>;
}

/** The checks of one type. */
interface Schemas {
  /** Of the clients that have none of their own. */
  common?: DataCheck;
  readonly own: Map<string, DataCheck>;
}

/** A row of event_type_schemas; the schema is null where its digest is known. */
interface Row {
  readonly type: string;
  readonly client_id: string | null;
  readonly digest: string;
  readonly schema: string | null;
}

/** How long between two looks at the table: a changed schema is honoured this soon. */
const pollMs = 1_000;
/** How long one look may take: events wait for it. */
const loadTimeoutMs = 3_000;

/**
 * Keeps the registered types at hand, compiled. While Postgres is away the last ones go on.
 *
 * It polls, and does not listen for notices: a query a second of a small table costs less than a connection of its own,
 * passes through any pooler, sees changes made by hand, and after an outage there is nothing to catch up with.
 */
export class Registry implements EventTypes {
  readonly #db: Database;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #types: ReadonlyMap<string, Schemas> | undefined;
  /** The compiled schemas by digest. */
  #checks: ReadonlyMap<string, DataCheck> = new Map();
  /** What the table held when it was last taken over. */
  #version: string | undefined;
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** Starts to load at once and goes on until closed; returns without waiting, so that Postgres may come later. */
  static start(db: Database, log: Log): Registry {
    const registry = new Registry(db, log);
    void registry.#poll();
    return registry;
  }

  of(client: string): CustomTypes {
    return (type) => {
      if (this.#types === undefined) throw new Unavailable(this.problem);
      const entry = this.#types.get(type);
      return entry?.own.get(client) ?? entry?.common;
    };
  }

  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded> {
    let isCustom = false;
    const once = () =>
      read((type) => {
        isCustom = true;
        return this.#types === undefined ? undefined : this.of(client)(type);
      });
    const decoded = once();
    return decoded.ok || !isCustom ? decoded : this.refresh().then(once);
  }

  /** Looks at the table after this call. @throws Unavailable; what was known stays. */
  refresh(): Promise<void> {
    // A look that is under way may have read before the change that the caller is after: only the next one will do.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const loading = this.#load();
      this.#running = loading.catch(() => undefined);
      return loading;
    });
    return this.#next;
  }

  /** Why nothing is known yet, else undefined: for readiness. */
  get problem(): string | undefined {
    if (this.#types !== undefined) return undefined;
    return `the event types are not loaded yet${this.#failure === undefined ? "" : `: ${this.#failure.message}`}`;
  }

  /** Ends the polling; resolves when nothing is asked of the database any more. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error("the registry was closed"));
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #poll(): Promise<void> {
    await this.refresh().catch(() => undefined);
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#poll(), pollMs).unref();
  }

  async #load(): Promise<void> {
    try {
      const rows = await this.#query();
      this.#take(rows);
      if (this.#failure !== undefined) this.#log.info("the event types are up to date again");
      this.#failure = undefined;
    } catch (err) {
      const failure = asUnavailable(err);
      if (this.#failure === undefined && !this.#stopping.signal.aborted)
        this.#log.warn({ err }, "the event types cannot be read: the last known ones go on");
      this.#failure = failure instanceof Error ? failure : new Error(String(failure));
      throw isUnavailable(failure) ? failure : new Unavailable(this.#failure.message, { cause: err });
    }
  }

  /** The table, without the schemas that are compiled already. */
  async #query(): Promise<readonly Row[]> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(loadTimeoutMs)]);
    const known = [...this.#checks.keys()];
    const { rows } = await sql<Row>`
      select type, client_id, digest, case when digest = any(${known}::text[]) then null else schema::text end as schema
      from event_type_schemas, md5(schema::text) as digest
      order by type, client_id nulls first`.execute(this.#db, { signal });
    return rows;
  }

  #take(rows: readonly Row[]): void {
    const version = rows.map((row) => `${row.type} ${row.client_id ?? "*"} ${row.digest}`).join("\n");
    if (version === this.#version) return;
    const checks = new Map<string, DataCheck>();
    const types = new Map<string, Schemas>();
    for (const { type, client_id, digest, schema } of rows) {
      const check = checks.get(digest) ?? this.#checks.get(digest) ?? this.#compile(type, client_id, schema);
      checks.set(digest, check);
      const schemas = types.get(type) ?? { own: new Map<string, DataCheck>() };
      if (client_id === null) schemas.common = check;
      else schemas.own.set(client_id, check);
      types.set(type, schemas);
    }
    this.#checks = checks;
    this.#types = types;
    this.#log.info(
      { types: [...types.keys()] },
      this.#version === undefined ? "event types loaded" : "event types changed",
    );
    this.#version = version;
  }

  /** Registration lets only good schemas in, so a bad one was put there by hand: its events are set aside, none is lost. */
  #compile(type: string, client: string | null, schema: string | null): DataCheck {
    try {
      return compileDataCheck(JSON.parse(schema ?? "null"));
    } catch (err) {
      if (!(err instanceof RegistrationError)) throw err;
      this.#log.error({ type, client, err }, "a schema in event_type_schemas cannot be used");
      return () => [fieldError("", `cannot be checked, its registered schema is broken: ${err.message}`)];
    }
  }
}
