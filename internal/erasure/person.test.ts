import { describe, expect, test } from "vitest";
import { names, type Person, withoutPerson } from "./person.ts";

const john: Person = { client: "casino", player: 10, emails: ["john@example.com", "j+1@example.com"] };
const event = { id: 1, player_id: 10, type: "deposit", amount: 300 };
const text = (value: unknown) => JSON.stringify(value);
const player = { email: "john@example.com", last_signed_in_at: null };

describe("of the player's events", () => {
  test.each<[string, object, object]>([
    ["the player goes", { ...event, player }, event],
    [
      "so does the e-mail in the sentence, whatever stands in it",
      {
        ...event,
        player: { email: "a) (b@x" },
        description: "Player #10 (a) (b@x) made a deposit of 3 EUR.",
      },
      { ...event, description: "Player #10 made a deposit of 3 EUR." },
    ],
    [
      "so does every other mention, in whatever case",
      { ...event, note: ["Mail JOHN@example.com", { "j+1@example.com": 1 }] },
      { ...event, note: ["Mail [erased]", { "[erased]": 1 }] },
    ],
    [
      "an e-mail that nobody knew of goes too",
      { ...event, player: { email: "old@x" }, contact: "old@x" },
      { ...event, contact: "[erased]" },
    ],
  ])("%s", (_what, given, without) => {
    expect(withoutPerson(text(given), "casino", john)).toBe(text(without));
    expect(withoutPerson(text([given, 5]), "casino", john)).toBe(text([without, 5]));
    expect(withoutPerson(`${text(given)}\n\nnonsense\n`, "casino", john)).toBe(
      `${text(without)}\n\nnonsense\n`,
    );
    const line = (it: object) => `${text({ client: "casino", source: "crm", event: it })}\n`;
    expect(withoutPerson(line(given) + line(given), "_", john)).toBe(line(without) + line(without));
  });
});

describe("stays as it is, to the byte,", () => {
  test.each<[string, string, string]>([
    ["an event of another player", '{ "player_id": 11, "player": {"email": "john@example.com"} }', "casino"],
    ["one of another client", text({ ...event, player }), "other"],
    ["another client's line of a bundle", text({ client: "other", event: { ...event, player } }), "_"],
    ["one without personal data", '{ "player_id":  10, "amount": 1e400 }', "casino"],
    ["what is no JSON and does not name the person", "nonsense\nof 10", "casino"],
    [
      "a line of a bundle that nobody can read",
      `{"client":"casino","event":{"player":"john@example.com`,
      "_",
    ],
    ["nothing", "", "casino"],
  ])("%s", (_what, given, client) => {
    expect(withoutPerson(given, client, john)).toBe(given);
  });
});

test("what names the person and is no event loses the name, or cannot be kept", () => {
  expect(withoutPerson('{"email":"john@example.com"}', "casino", john)).toBe('{"email":"[erased]"}');
  expect(withoutPerson('"JOHN@EXAMPLE.COM"', "casino", john)).toBe('"[erased]"');
  expect(withoutPerson('{"email":"john@example.com"', "casino", john)).toBeUndefined();
  expect(names(john, "to J+1@example.com")).toBe(true);
  expect(names(john, "to j1@example.com")).toBe(false);
  expect(names({ ...john, emails: [] }, "anything")).toBe(false);
});
