import { seededRandom } from "../../internal/generator/random.ts";
import type { OracleEvent } from "../oracle.ts";

/** An event's sender. Events of different senders never share an id, so the id alone identifies the sender. */
export interface SenderName {
  readonly client: string;
  readonly source: string;
  /** Starts at 0. */
  readonly index: number;
}

const idsPerSender = 1_000_000_000;

/** The id of a sender's nth event, from 1 on. */
export function idOf(sender: SenderName, n: number): number {
  return (sender.index + 1) * idsPerSender + n;
}

/** The index of the event's sender, and the event's number within the sender. */
export function whose(id: number): readonly [index: number, n: number] {
  return [Math.floor(id / idsPerSender) - 1, id % idsPerSender];
}

const types = ["game_start", "game_stop", "bet", "deposit"] as const;
const currencies = ["EUR", "USD", "GBP", "NZD", "BTC"] as const;
const firstMoment = Date.UTC(2026, 0, 1);

/** A sender's nth event. It depends only on seed, sender and n, so a check can compute it again. */
export function eventOf(seed: number, sender: SenderName, n: number): OracleEvent {
  const random = seededRandom(
    Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ Math.imul(idOf(sender, n), 0x85ebca6b),
  );
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const type = types[between(0, 3)] ?? "bet";
  // The players 10 to 14 of the client `casino` are known; those of other clients are unknown.
  const player = sender.client === "casino" ? between(10, 39) : between(20, 49);
  const money = type === "bet" || type === "deposit";
  return {
    id: idOf(sender, n),
    player_id: player,
    ...(type === "deposit" ? {} : { game_id: between(100, 109) }),
    type,
    ...(money ? { amount: between(0, 99_999), currency: currencies[between(0, 4)] ?? "EUR" } : {}),
    ...(type === "bet" && random() < 0.2 ? { has_won: true } : {}),
    created_at: new Date(firstMoment + n * 1_000 + between(0, 999)).toISOString(),
  };
}

/** A message that can never succeed, and the reason that its dead letter must give. */
export interface Invalid {
  readonly subject: string;
  readonly payload: string;
  readonly reason: string;
}

/** A sender's nth invalid message; the kinds take turns. */
export function invalidOf(seed: number, sender: SenderName, n: number): Invalid {
  const event = { ...eventOf(seed, sender, n), id: n };
  const subject = `casino.event.raw.${sender.client}`;
  const bet = { ...event, type: "bet", game_id: 100, amount: 1, currency: "EUR" };
  const json = (value: object | string) => JSON.stringify(value);
  const kinds: readonly Invalid[] = [
    { subject, payload: `{"id":${n},`, reason: "invalid_json" },
    { subject, payload: "", reason: "invalid_json" },
    { subject, payload: json(`event ${n}`), reason: "invalid_event" },
    { subject, payload: json({ ...bet, amount: -1 }), reason: "invalid_event" },
    { subject, payload: json({ ...bet, created_at: "2026-02-30T00:00:00Z" }), reason: "invalid_event" },
    { subject, payload: json({ ...bet, type: "jackpot" }), reason: "unknown_type" },
    { subject, payload: json({ ...bet, currency: "ABC" }), reason: "unsupported_currency" },
    { subject: "casino.event.raw.no-such-client", payload: json(bet), reason: "unknown_client" },
  ];
  return kinds[n % kinds.length] ?? { subject, payload: "", reason: "invalid_json" };
}

/** A sender's next message: a new event, a repeated one, or an invalid message. */
export type Item = { readonly kind: "event" | "again" | "invalid"; readonly n: number };

const invalidShare = 0.02;
const againShare = 0.08;
/** Most events are repeated soon, as by a producer without an answer; some much later. */
const soon = 200;

/** A sender's messages in order. They depend only on the seed, and not on the speed. */
export function* script(seed: number, sender: SenderName): Generator<Item, never> {
  const random = seededRandom(seed + 7919 * (sender.index + 1));
  let events = 0;
  let invalid = 0;
  for (;;) {
    const dice = random();
    if (dice < invalidShare) yield { kind: "invalid", n: ++invalid };
    else if (dice < invalidShare + againShare && events > 0) {
      const reach = random() < 0.9 ? Math.min(soon, events) : events;
      yield { kind: "again", n: events - Math.floor(random() * reach) };
    } else yield { kind: "event", n: ++events };
  }
}
