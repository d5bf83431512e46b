import { sql } from "kysely";
import pg from "pg";
import { type CustomTypes, type Decoded, withDataErrors } from "../casino/decode.ts";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { Polling } from "../postgres/polling.ts";
import type { Log } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type CheckerOptions, SchemaChecker } from "./schema-checker.ts";

/** How a process uses the types. */
type RegistryOptions = Pick<CheckerOptions, "beyondBudget" | "limits">;

/** The schemas of one type, by digest. */
interface Schemas {
  /** For clients that have none of their own. */
  common?: string;
  readonly own: Map<string, string>;
}

/** A decoded event, and what remains to be done. */
interface Read {
  readonly decoded: Decoded;
  /** Its custom type; undefined for a casino type and for an invalid event. */
  readonly type?: string;
  /** Digest of its schema, undefined when there is none. */
  readonly digest?: string | undefined;
  readonly data?: unknown;
}

/** A row of event_type_schemas; the schema is null when its digest is already known. */
interface Row {
  readonly type: string;
  readonly client_id: string | null;
  readonly digest: string;
  readonly schema: string | null;
}

/** How long between two polls: a changed schema takes effect this soon. */
const pollMs = 1_000;
/** How long one poll may take: events wait for it. */
const loadTimeoutMs = 3_000;

/** Keeps the registered types in memory; while Postgres is away the last ones stay in use. */
export class Registry {
  readonly #db: Database;
  readonly #log: Log;
  readonly #checker: SchemaChecker;
  #types: ReadonlyMap<string, Schemas> | undefined;
  /** The schemas by digest, as JSON text. */
  #schemas: ReadonlyMap<string, string> = new Map();
  /** The table as last read. */
  #version: string | undefined;
  readonly #polling: Polling;

  private constructor(db: Database, log: Log, options: RegistryOptions) {
    this.#db = db;
    this.#log = log;
    this.#checker = new SchemaChecker({ ...options, log });
    const what = "the event types";
    this.#polling = new Polling({
      ...{ what, everyMs: pollMs, statementMs: loadTimeoutMs, log },
      load: async (bounds) => this.#take(await this.#query(bounds())),
    });
  }

  /** Starts to load at once and goes on until closed. Does not wait, so Postgres may start later. */
  static start(db: Database, log: Log, options: RegistryOptions = { beyondBudget: "wait" }): Registry {
    return new Registry(db, log, options);
  }

  /**
   * Reads an event with the client's types: its own schema of a type wins over the one for all clients. Casino types are
   * answered at once; a custom type's `data` is checked outside of the event loop, together with what else the client
   * sends in the same turn.
   *
   * An unknown type and invalid data are checked again if the table has changed, because whoever registers a type may
   * send its first event within the same second: that is the promise. Rejects with `Unavailable` when nobody can tell
   * now.
   * @param read such as `(types) => decodeRaw(payload, types)`
   */
  decode(client: string, read: (types: CustomTypes) => Decoded): Decoded | Promise<Decoded> {
    const once = this.#read(client, read);
    return once.type === undefined ? once.decoded : this.#decide(client, once, read);
  }

  /** Reads with a check that accepts all data and keeps them for the real one. */
  #read(client: string, read: (types: CustomTypes) => Decoded): Read {
    let type: string | undefined;
    let digest: string | undefined;
    let data: unknown;
    const decoded = read((named) => {
      type = named;
      digest = this.#digestOf(client, named);
      if (digest === undefined) return undefined;
      return (given) => {
        data = given;
        return [];
      };
    });
    return type === undefined ? { decoded } : { decoded, type, digest, data };
  }

  async #decide(client: string, once: Read, read: (types: CustomTypes) => Decoded): Promise<Decoded> {
    const decided = await this.#check(client, once);
    const isRefused = !decided.ok && (once.digest === undefined || decided !== once.decoded);
    if (!isRefused) return decided;
    await this.refresh();
    if (this.#digestOf(client, once.type ?? "") === once.digest) return decided;
    return this.#check(client, this.#read(client, read));
  }

  /** The decoded event, unless the schema refuses it. */
  async #check(client: string, { decoded, type = "", digest, data }: Read): Promise<Decoded> {
    if (digest === undefined || data === undefined) return decoded;
    const schema = this.#schemas.get(digest) ?? "null";
    return withDataErrors(decoded, await this.#checker.check(client, { type, digest, schema }, data));
  }

  #digestOf(client: string, type: string): string | undefined {
    const schemas = this.#types?.get(type);
    return schemas?.own.get(client) ?? schemas?.common;
  }

  /** Reads the table after this call; if that fails, what was known stays. @throws Unavailable */
  refresh(): Promise<void> {
    return this.#polling.refresh();
  }

  /** Why nothing is known yet, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#polling.problem;
  }

  /** Stops polling and checking; resolves when no query is running. */
  async close(): Promise<void> {
    const closed = this.#polling.close();
    await this.#checker.close();
    await closed;
  }

  /** The table, without schemas that are already known. @throws Unavailable */
  async #query(signal: AbortSignal): Promise<readonly Row[]> {
    const known = [...this.#schemas.keys()];
    try {
      const { rows } = await sql<Row>`
        select type, client_id, digest, case when digest = any(${known}::text[]) then null else schema::text end as schema
        from event_type_schemas, md5(schema::text) as digest
        order by type, client_id nulls first`.execute(this.#db, { signal });
      return rows;
    } catch (cause) {
      const why = asUnavailable(cause);
      // The query never changes, so whatever the server has against it is no event's fault.
      if (why instanceof pg.DatabaseError)
        throw new Unavailable(`Postgres cannot read the event types: ${why.message}`, { cause });
      throw why;
    }
  }

  #take(rows: readonly Row[]): void {
    const version = rows.map((row) => `${row.type} ${row.client_id ?? "*"} ${row.digest}`).join("\n");
    if (version === this.#version) return;
    const texts = new Map<string, string>();
    const types = new Map<string, Schemas>();
    for (const { type, client_id, digest, schema } of rows) {
      texts.set(digest, schema ?? this.#schemas.get(digest) ?? "null");
      const schemas = types.get(type) ?? { own: new Map<string, string>() };
      if (client_id === null) schemas.common = digest;
      else schemas.own.set(client_id, digest);
      types.set(type, schemas);
    }
    for (const digest of this.#schemas.keys()) if (!texts.has(digest)) this.#checker.forget(digest);
    this.#schemas = texts;
    this.#types = types;
    if (types.size > 0) this.#checker.warmUp();
    this.#log.info(
      { types: [...types.keys()] },
      this.#version === undefined ? "event types loaded" : "event types changed",
    );
    this.#version = version;
  }
}
