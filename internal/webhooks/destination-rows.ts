import { type Selectable, sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import type { Schema } from "../postgres/schema.ts";
import type { Destination, DestinationSettings } from "./destination.ts";
import type { SecretBox } from "./secret-box.ts";

/** A destination's row, with the secrets that sign now, newest first. */
type DestinationRow = Selectable<Schema["destinations"]> & { readonly secrets: readonly string[] };

/** A filter of destinations. All conditions must hold. */
interface Which {
  readonly id?: string;
  readonly client?: string | undefined;
  /** Only those after this id. */
  readonly after?: string | undefined;
  /** Maximum rows. */
  readonly limit?: number;
}

/** Reads destinations, ordered by id. @throws Unavailable */
export function readRows(
  db: Database,
  { id, client, after, limit }: Which,
  signal: AbortSignal | undefined,
): Promise<readonly DestinationRow[]> {
  const query = db
    .selectFrom("destinations")
    .selectAll()
    .select(
      sql<string[]>`array(
        select secret from destination_secrets
        where destination_id = destinations.id and (expires_at is null or expires_at > now())
        order by destination_secrets.id desc)`.as("secrets"),
    )
    .$if(id !== undefined, (of) => of.where("id", "=", id ?? ""))
    .$if(client !== undefined, (of) => of.where("client_id", "=", client ?? ""))
    .$if(after !== undefined, (of) => of.where("destinations.id", ">", after ?? ""))
    .orderBy("destinations.id")
    .$if(limit !== undefined, (of) => of.limit(limit ?? 0));
  return asking(signal, () => query.execute(signal && { signal }));
}

/** @throws SealError */
export function readDestination(row: DestinationRow, box: SecretBox): Destination {
  const { id } = row;
  return {
    id,
    client: row.client_id,
    url: row.url,
    types: row.types,
    headers: row.headers === null ? {} : JSON.parse(box.open(row.headers, id)), // as columnsOf wrote it
    rateLimit: row.rate_limit,
    ordered: row.ordered,
    batch: row.batch,
    enabled: row.enabled,
    disabledAt: row.disabled_at,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since,
    secrets: row.secrets.map((secret) => box.open(secret, id)),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Converts the given settings to columns. */
export function columnsOf<S extends Partial<DestinationSettings>>(id: string, settings: S, box: SecretBox) {
  const { url, types, headers, rateLimit, ordered, batch, enabled } = settings;
  const columns = {
    url,
    types: types && [...types],
    headers: headers && sealed(id, headers, box),
    rate_limit: rateLimit,
    ordered,
    batch,
    enabled,
  };
  // Kysely leaves undefined columns out of the statement. If the caller gives all settings, all columns are set.
  return columns as { [K in keyof typeof columns]: Exclude<(typeof columns)[K], undefined> };
}

function sealed(id: string, headers: Readonly<Record<string, string>>, box: SecretBox): string | null {
  return Object.keys(headers).length === 0 ? null : box.seal(JSON.stringify(headers), id);
}

/** Enabling a destination clears its failures. */
export function stateOf(enabled: boolean) {
  return enabled
    ? { enabled, disabled_at: null, disabled_reason: null, failing_since: null }
    : { enabled, disabled_at: sql<Date>`coalesce(disabled_at, now())` };
}
