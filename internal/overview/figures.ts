import type { NatsConnection } from "nats";
import { questionInbox } from "../jetstream/inbox.ts";
import { materializedSubject } from "../messages/subjects.ts";
import { isObject } from "../service/json.ts";

/** Players in each list. */
const top = 10;
const timeoutMs = 2_000;

/** The materializer's answer, with the lists of the first players. */
export type Figures = Readonly<Record<string, unknown>> & { readonly events_total: number };

/**
 * Requests the aggregates over NATS and takes the first answer.
 * @param client only this client's figures
 * @returns undefined when none answers in time
 */
export async function readFigures(nc: NatsConnection, client?: string): Promise<Figures | undefined> {
  const question = JSON.stringify({ top, ...(client !== undefined && { client_id: client }) });
  try {
    const answer = await nc.request(materializedSubject, question, {
      timeout: timeoutMs,
      noMux: true,
      reply: questionInbox(nc),
    });
    const figures: unknown = answer.json();
    if (!isObject(figures) || typeof figures.events_total !== "number") return undefined;
    return { ...figures, events_total: figures.events_total };
  } catch {
    // No materializer runs, or NATS is away.
    return undefined;
  }
}
