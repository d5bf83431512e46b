import { createHash } from "node:crypto";
import { isObject, isPositiveInteger } from "../service/json.ts";

/** A final event on its way to a destination. */
export interface DeliverableEvent {
  readonly client: string;
  readonly source: string;
  /** Unique within client and source. */
  readonly id: number;
  readonly type: string;
  /** RFC 3339, UTC, with milliseconds. */
  readonly createdAt: string;
  /** Absent on events that belong to no player. */
  readonly playerId?: number | undefined;
  /** Its body in CASINO_EVENTS: one JSON object. */
  readonly text: string;
  /** Its sequence in CASINO_EVENTS, if known. */
  readonly sequence?: number | undefined;
}

/** The content of one call. */
export interface WebhookMessage {
  /** The header `webhook-id`. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a final event from its message in CASINO_EVENTS.
 * @returns undefined if the body is not a final event; never throws
 */
export function readDeliverable(
  client: string,
  source: string,
  data: Uint8Array,
  sequence?: number,
): DeliverableEvent | undefined {
  try {
    const text = utf8.decode(data).trim();
    const event: unknown = JSON.parse(text);
    if (!isObject(event)) return undefined;
    const { id, type, created_at, player_id } = event;
    if (!isPositiveInteger(id) || typeof type !== "string" || typeof created_at !== "string")
      return undefined;
    const playerId = isPositiveInteger(player_id) ? player_id : undefined;
    return { client, source, id, type, createdAt: created_at, playerId, text, sequence };
  } catch {
    return undefined;
  }
}

/**
 * The `webhook-id` of an event, by which receivers detect duplicates. It is derived from client, source and id alone,
 * so it is the same in retries, resends and replays, from the log or from the archive.
 */
export function webhookIdOf({
  client,
  source,
  id,
}: Pick<DeliverableEvent, "client" | "source" | "id">): string {
  return `evt_${digest(`${client}\n${source}\n${id}`)}`;
}

/**
 * Builds the call for these events: one event as itself, several as a batch whose id is derived from theirs.
 * @param events at least one, all of one client
 */
export function webhookMessage(events: readonly DeliverableEvent[], isBatch: boolean): WebhookMessage {
  const [first] = events;
  if (first === undefined) throw new Error("a call needs at least one event");
  if (!isBatch) return { id: webhookIdOf(first), body: `{${contentOf(first)}}` };
  const ids = events.map(webhookIdOf);
  const members = events.map((event, i) => `{"id":${JSON.stringify(ids[i])},${contentOf(event)}}`);
  return {
    id: `batch_${digest(ids.join("\n"))}`,
    body: `{"type":"batch","timestamp":${JSON.stringify(first.createdAt)},"data":[${members.join(",")}]}`,
  };
}

/** The event's own text with client and source appended, as `GET /events` returns it. */
function contentOf({ client, source, type, createdAt, text }: DeliverableEvent): string {
  const whose = `"client_id":${JSON.stringify(client)},"source":${JSON.stringify(source)}}`;
  return `"type":${JSON.stringify(type)},"timestamp":${JSON.stringify(createdAt)},"data":${text.slice(0, -1)},${whose}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 27);
}
