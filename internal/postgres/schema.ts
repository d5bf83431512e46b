import type { Generated } from "kysely";

/**
 * The tables as the migrations make them; migrations/schema.sql shows the same in SQL. `pg` hands bigint over as a
 * string.
 */
export interface Schema {
  clients: ClientsTable;
  players: PlayersTable;
  games: GamesTable;
  game_versions: GameVersionsTable;
  api_keys: ApiKeysTable;
  sessions: SessionsTable;
  event_types: EventTypesTable;
  event_type_schemas: EventTypeSchemasTable;
  event_type_changes: EventTypeChangesTable;
  events: EventsTable;
  erasures: ErasuresTable;
  destinations: DestinationsTable;
  destination_secrets: DestinationSecretsTable;
  deliveries: DeliveriesTable;
  delivery_requests: DeliveryRequestsTable;
  destination_places: DestinationPlacesTable;
}

interface ClientsTable {
  id: string;
  name: string;
  created_at: Generated<Date>;
  /** Since when its keys are refused, and its events dead letters; null: it is not disabled. */
  disabled_at: Generated<Date | null>;
}

interface PlayersTable {
  client_id: string;
  id: string;
  email: string;
  last_signed_in_at: Date | null;
}

interface GamesTable {
  client_id: string;
  id: string;
  title: string;
}

interface GameVersionsTable {
  client_id: string;
  /** Grows with each change of the client's games. */
  version: string;
}

interface ApiKeysTable {
  id: Generated<string>;
  /** Null = an operator's key, valid for every client. */
  client_id: string | null;
  source: string | null;
  prefix: string;
  hash: Buffer;
  created_at: Generated<Date>;
  expires_at: Date | null;
  revoked_at: Date | null;
}

interface SessionsTable {
  hash: Buffer;
  kind: "code" | "session";
  /** Null when it was opened with a code. */
  key_id: string | null;
  /** Null: an operator's. */
  client_id: string | null;
  source: string | null;
  created_at: Generated<Date>;
  expires_at: Date;
}

interface EventTypesTable {
  name: string;
  built_in: Generated<boolean>;
}

interface EventTypeSchemasTable {
  type: string;
  /** Null = for every client without its own. */
  client_id: string | null;
  schema: unknown;
  updated_at: Generated<Date>;
}

/** A trigger of event_type_schemas writes it. */
interface EventTypeChangesTable {
  id: Generated<string>;
  type: string;
  client_id: string | null;
  change: "registered" | "replaced" | "removed";
  /** Null when it was removed. */
  schema: unknown;
  at: Generated<Date>;
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
  /** Its place in CASINO_EVENTS; null where it was archived before that was kept. */
  log_sequence: Generated<string | null>;
}

interface DestinationsTable {
  id: string;
  client_id: string;
  url: string;
  /** Null: all. */
  types: string[] | null;
  /** Encrypted. */
  headers: string | null;
  rate_limit: number | null;
  ordered: Generated<boolean>;
  batch: Generated<number>;
  enabled: Generated<boolean>;
  disabled_at: Generated<Date | null>;
  disabled_reason: Generated<string | null>;
  failing_since: Generated<Date | null>;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

interface DestinationSecretsTable {
  id: Generated<string>;
  destination_id: string;
  /** Encrypted. */
  secret: string;
  created_at: Generated<Date>;
  /** Null: the current one. */
  expires_at: Generated<Date | null>;
}

interface DeliveriesTable {
  id: Generated<string>;
  destination_id: string;
  client_id: string;
  source: string;
  event_id: string;
  event_type: string;
  log_sequence: string | null;
  webhook_id: string;
  attempt: number;
  outcome: string;
  status: number | null;
  duration_ms: number;
  error: string | null;
  answer: string | null;
  at: Date;
}

interface DeliveryRequestsTable {
  id: Generated<string>;
  destination_id: string;
  client_id: string;
  kind: string;
  source: Generated<string | null>;
  event_id: Generated<string | null>;
  from_at: Generated<Date | null>;
  to_at: Generated<Date | null>;
  types: Generated<string[] | null>;
  only_undelivered: Generated<boolean>;
  created_at: Generated<Date>;
  position: Generated<unknown>;
  sent: Generated<string>;
  done_at: Generated<Date | null>;
  error: Generated<string | null>;
}

interface DestinationPlacesTable {
  destination_id: string;
  /** Up to here its events have left CASINO_EVENTS for it. */
  log_sequence: Generated<string>;
  /** The sender that looks after it, and until when. */
  keeper: Generated<string | null>;
  kept_until: Generated<Date | null>;
}

interface ErasuresTable {
  client_id: string;
  player_id: string;
  /** The last time. */
  erased_at: Date;
  requested_by: string;
  /** How much was erased, by place, over all times. */
  counts: unknown;
}
