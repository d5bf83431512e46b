import { expect, test } from "vitest";
import { readFinalEvent } from "./final-event.ts";

const bytes = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
const read = (body: unknown, source?: string, subject = "casino.event.final.acme.bet") =>
  readFinalEvent(subject, source, bytes(body), 1_000);
const bet = { id: 1, player_id: 10, game_id: 100, type: "bet", amount: 5, currency: "EUR", has_won: true };

test("takes client from the subject, source from the header, the rest from the body", () => {
  expect(read(bet, "run-1")).toEqual({
    client: "acme",
    source: "run-1",
    id: 1,
    type: "bet",
    storedAt: 1_000,
    playerId: 10,
    hasWon: true,
  });
  expect(read({ id: 2, player_id: 10, type: "deposit", amount_eur: 0 })).toMatchObject({
    source: "nats",
    amountEur: 0,
  });
});

test("game events and custom ones need no more than an id and a type", () => {
  expect(read({ id: 3, type: "jackpot", data: {} })).toMatchObject({ id: 3, type: "jackpot" });
  expect(read({ id: 4, type: "game_start", player_id: 10 })).not.toHaveProperty("playerId");
});

test.each([
  [{ ...bet, id: 0 }, "id is"],
  [{ ...bet, id: 2 ** 53 }, "id is"],
  [{ ...bet, id: "1" }, "id is"],
  [{ ...bet, type: undefined }, "type is"],
  [{ ...bet, player_id: 1.5 }, "player_id is"],
  [{ ...bet, has_won: "yes" }, "has_won is"],
  [{ id: 1, type: "deposit", player_id: 10, amount_eur: -1 }, "amount_eur is"],
  [{ id: 1, type: "deposit", player_id: 10 }, "amount_eur is"],
  [[bet], "The body is not a JSON object."],
  [null, "The body is not a JSON object."],
])("%j is refused with a sentence", (body, sentence) => {
  expect(read(body)).toMatch(new RegExp(`^${sentence}`));
});

test("what is not JSON, not UTF-8 or not a final event is refused, never thrown", () => {
  const subject = "casino.event.final.acme.bet";
  expect(readFinalEvent(subject, "", new Uint8Array(), 0)).toBe("The body is not JSON in UTF-8.");
  expect(readFinalEvent(subject, "", Uint8Array.of(34, 255, 34), 0)).toBe("The body is not JSON in UTF-8.");
  expect(read(bet, "", "casino.event.priced.acme.bet")).toBe("The subject is not a final event's.");
});
