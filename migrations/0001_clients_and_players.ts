import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table clients (
      id text primary key check (id ~ '^[a-z0-9-]{1,40}$'),
      name text not null,
      created_at timestamptz not null default now()
    )`.execute(db);
  await sql`
    create table players (
      client_id text not null references clients (id),
      id bigint not null check (id between 1 and 9007199254740991),
      email text not null,
      last_signed_in_at timestamptz,
      primary key (client_id, id)
    )`.execute(db);
  await sql`insert into clients (id, name) values ('casino', 'The casino')`.execute(db);
  await sql`
    insert into players (client_id, id, email, last_signed_in_at) values
      ('casino', 10, 'john@example.com', now() - interval '1 hour'),
      ('casino', 11, 'jane@example.com', now() - interval '3 hours'),
      ('casino', 12, 'bob@example.com', now() - interval '2 days'),
      ('casino', 13, 'rick@example.com', now() - interval '5 hours'),
      ('casino', 14, 'morty@example.com', now() - interval '1 day')`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop table players`.execute(db);
  await sql`drop table clients`.execute(db);
}
