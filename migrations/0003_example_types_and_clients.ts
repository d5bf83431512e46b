import { type Kysely, sql } from "kysely";

// The generator picks from `examples`.
const draft = "https://json-schema.org/draft/2020-12/schema";

const schemas = {
  transaction_approved: {
    $schema: draft,
    type: "object",
    properties: {
      transaction_id: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" },
      player_id: {
        type: "integer",
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        examples: [10, 11, 12, 13, 14, 15],
      },
      amount: { type: "integer", minimum: 0, maximum: 100_000_000 },
      currency: { type: "string", pattern: "^[A-Z]{3}$", examples: ["EUR", "USD", "GBP", "BTC"] },
      method: { enum: ["card", "bank_transfer", "wallet", "crypto"] },
    },
    required: ["transaction_id", "amount", "currency", "method"],
    additionalProperties: false,
  },
  "monitor-app": {
    $schema: draft,
    type: "object",
    properties: {
      app: { type: "string", pattern: "^[a-z0-9-]{1,40}$", examples: ["lobby", "wallet", "game-server"] },
      level: { enum: ["debug", "info", "warning", "error"] },
      message: {
        type: "string",
        minLength: 1,
        maxLength: 1000,
        examples: ["started", "stopped", "request served", "queue is long", "connection lost"],
      },
      host: { type: "string", maxLength: 253, examples: ["node-1", "node-2"] },
      duration_ms: { type: "number", minimum: 0, maximum: 60_000 },
    },
    required: ["app", "level", "message"],
    additionalProperties: false,
  },
};

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    insert into clients (id, name) values ('acme-casino', 'Acme Casino'), ('lucky-spin', 'Lucky Spin')
    on conflict do nothing`.execute(db);
  await sql`
    insert into players (client_id, id, email, last_signed_in_at) values
      ('acme-casino', 10, 'wile@acme.example', now() - interval '2 hours'),
      ('acme-casino', 11, 'bugs@acme.example', now() - interval '1 day'),
      ('acme-casino', 12, 'daffy@acme.example', null),
      ('lucky-spin', 10, 'ann@luckyspin.example', now() - interval '10 minutes'),
      ('lucky-spin', 13, 'ben@luckyspin.example', now() - interval '4 days'),
      ('lucky-spin', 15, 'cleo@luckyspin.example', now() - interval '6 hours')
    on conflict do nothing`.execute(db);
  for (const [type, schema] of Object.entries(schemas)) {
    await sql`insert into event_types (name) values (${type}) on conflict do nothing`.execute(db);
    await sql`
      insert into event_type_schemas (type, schema) values (${type}, ${JSON.stringify(schema)}::jsonb)
      on conflict do nothing`.execute(db);
  }
}

export async function down(db: Kysely<never>): Promise<void> {
  for (const type of Object.keys(schemas)) {
    await sql`delete from event_type_schemas where type = ${type}`.execute(db);
    await sql`delete from event_types where name = ${type}`.execute(db);
  }
  await sql`delete from players where client_id in ('acme-casino', 'lucky-spin')`.execute(db);
  await sql`delete from clients where id in ('acme-casino', 'lucky-spin')`.execute(db);
}
