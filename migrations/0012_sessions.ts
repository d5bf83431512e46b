import { type Kysely, sql } from "kysely";

// The dashboard's sessions, and sign-in codes that can be exchanged once for a session. Only hashes are stored. A session
// opened with a key ends with the key; one opened with a code belongs to a client or, without one, to an operator.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table sessions (
      hash bytea primary key,
      kind text not null check (kind in ('code', 'session')),
      key_id bigint references api_keys (id) on delete cascade,
      client_id text references clients (id),
      source text,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null,
      check ((client_id is null) = (source is null))
    )`.execute(db);
  await sql`create index on sessions (key_id, created_at)`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop table sessions`.execute(db);
}
