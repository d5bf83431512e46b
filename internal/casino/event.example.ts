import { expect } from "vitest";
import type { CustomTypes, Decoded } from "./decode.ts";

/** One valid event of each kind, and what the tests of decoding do with them. */

export const created_at = "2022-01-10T12:34:56.789Z";
export const start = { id: 1, player_id: 10, game_id: 100, type: "game_start", created_at };
export const bet = { ...start, type: "bet", amount: 300, currency: "EUR", has_won: true };
export const deposit = { id: 1, player_id: 10, type: "deposit", amount: 300, currency: "EUR", created_at };
export const custom = { id: 1, type: "login", created_at, data: { device: "phone" } };
export const player = { email: "john@example.com", last_signed_in_at: "2022-01-09T00:00:00.000Z" };

export const anyCustomType: CustomTypes = () => () => [];

export const textBytes = (text: string) => new TextEncoder().encode(text);
export const bytes = (value: unknown) => textBytes(JSON.stringify(value));

export function eventOf(decoded: Decoded) {
  if (!decoded.ok) throw new Error(`refused: ${JSON.stringify(decoded)}`);
  return decoded.event;
}

export function refusalOf(decoded: Decoded) {
  if (decoded.ok) throw new Error(`not refused: ${JSON.stringify(decoded.event)}`);
  expect(decoded.errors.length).toBeGreaterThan(0);
  return decoded;
}
