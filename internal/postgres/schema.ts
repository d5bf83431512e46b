import type { Generated } from "kysely";

/** The tables as the migrations make them; migrations/schema.sql shows the same in SQL. `pg` hands bigint over as a string. */
export interface Schema {
  clients: ClientsTable;
  players: PlayersTable;
  api_keys: ApiKeysTable;
  event_types: EventTypesTable;
  event_type_schemas: EventTypeSchemasTable;
  events: EventsTable;
}

interface ClientsTable {
  id: string;
  name: string;
  created_at: Generated<Date>;
}

interface PlayersTable {
  client_id: string;
  id: string;
  email: string;
  last_signed_in_at: Date | null;
}

interface ApiKeysTable {
  id: Generated<string>;
  /** Null: an operator's key, good for every client. */
  client_id: string | null;
  source: string | null;
  prefix: string;
  hash: Buffer;
  created_at: Generated<Date>;
  expires_at: Date | null;
  revoked_at: Date | null;
}

interface EventTypesTable {
  name: string;
  built_in: Generated<boolean>;
}

interface EventTypeSchemasTable {
  type: string;
  /** Null: for every client that has none of its own. */
  client_id: string | null;
  schema: unknown;
  updated_at: Generated<Date>;
}

interface EventsTable {
  client_id: string;
  source: string;
  id: string;
  type: string;
  player_id: string | null;
  game_id: string | null;
  amount: string | null;
  currency: string | null;
  has_won: boolean | null;
  created_at: Date;
  data: unknown;
  amount_eur: string | null;
  player_email: string | null;
  player_last_signed_in_at: Date | null;
  description: string;
  rate: string | null;
  rate_at: Date | null;
  stored_at: Date;
}
