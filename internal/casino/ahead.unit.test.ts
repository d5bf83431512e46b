import { expect, test } from "vitest";
import { notAhead } from "./ahead.ts";
import { decodeRaw } from "./decode.ts";

const accepted = Date.parse("2026-01-01T12:00:00Z");
const hour = 3_600_000;
const dated = (created_at: string) =>
  decodeRaw(Buffer.from(JSON.stringify({ id: 1, player_id: 1, game_id: 1, type: "game_start", created_at })));

test.each([
  "2026-01-01T13:00:00.000Z",
  "2026-01-01T14:59:00+02",
  "2022-01-01T00:00:00Z",
  "0000-01-01T00:00:00Z",
])("an event dated %s may be an hour ahead at most, and is not", (created_at) => {
  const decoded = dated(created_at);
  expect(notAhead(decoded, accepted, hour)).toBe(decoded);
});

test.each(["2026-01-01T13:00:00.001Z", "2026-01-01T15:00:00.001+02:00", "4370-01-01T00:00:00Z"])(
  "an event dated %s is further ahead than an hour",
  (created_at) => {
    const decoded = dated(created_at);
    expect(notAhead(decoded, accepted, hour)).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [
        {
          path: "/created_at",
          message: "must not be after 2026-01-01T13:00:00.000Z, EVENT_MAX_AHEAD after the event was accepted",
        },
      ],
    });
    expect(notAhead(decoded, accepted, Number.POSITIVE_INFINITY)).toBe(decoded);
  },
);

test("what was refused stays as it was", () => {
  const decoded = dated("tomorrow");
  expect(notAhead(decoded, accepted, hour)).toBe(decoded);
});
