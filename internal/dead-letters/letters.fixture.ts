import type { Publisher } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import type { DeadReason } from "../messages/dead-letter.ts";

export interface GivenLetter {
  readonly reason?: DeadReason;
  readonly step?: string;
  readonly client?: string;
  readonly error?: string;
  readonly failedOn?: string;
  readonly payload?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A game event as a producer sends it; good as it is, unless `more` says otherwise. */
export const gameStart = (id: number, more: object = {}): string =>
  JSON.stringify({
    id,
    type: "game_start",
    player_id: 10,
    game_id: 100,
    created_at: "2022-01-10T12:34:56Z",
    ...more,
  });

/** Puts a letter into CASINO_DEAD, as a step would. @returns its sequence */
export async function setAside(publisher: Publisher, given: GivenLetter = {}): Promise<number> {
  const {
    reason = "unknown_type",
    step = "currency",
    client = "casino",
    error = "/type must be known",
  } = given;
  const { failedOn = `casino.event.raw.${client}`, payload = gameStart(1), headers: more = {} } = given;
  const headers = new OutgoingHeaders();
  for (const [name, value] of Object.entries(more)) headers.add(name, value);
  headers
    .add("Casino-Dead-Step", step)
    .add("Casino-Dead-Reason", reason)
    .add("Casino-Dead-Error", error)
    .add("Casino-Dead-Subject", failedOn)
    .add("Casino-Dead-Deliveries", "1")
    .add("Casino-Dead-At", new Date().toISOString());
  const subject = `casino.dead.${step}.${client}`;
  return (await publisher.publish({ subject, payload: Buffer.from(payload), headers })).seq;
}
