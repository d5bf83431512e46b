import type { Generated } from "kysely";

/** The tables as the migrations make them; migrations/schema.sql shows the same in SQL. */
export interface Schema {
  clients: ClientsTable;
  players: PlayersTable;
}

interface ClientsTable {
  id: string;
  name: string;
  created_at: Generated<Date>;
}

interface PlayersTable {
  client_id: string;
  /** bigint: `pg` hands it over as a string. */
  id: string;
  email: string;
  last_signed_in_at: Date | null;
}
