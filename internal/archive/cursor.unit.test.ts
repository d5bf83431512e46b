import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyIdentifier, anyTimestamp } from "../casino/event.arbitrary.ts";
import { CursorError, readCursor, writeCursor } from "./cursor.ts";

const anyPosition = fc.record({
  createdAt: anyTimestamp.map((text) => Date.parse(text)),
  source: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
  id: anyIdentifier,
});

test("a cursor gives its position back, in text that needs no escaping in a URL", () => {
  fc.assert(
    fc.property(anyPosition, (position) => {
      const cursor = writeCursor(position);
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(readCursor(cursor)).toEqual(position);
    }),
  );
});

const cursorOf = (text: string) => Buffer.from(text).toString("base64url");

describe("refused with a sentence", () => {
  test.each([
    ["nothing", ""],
    ["something else", "abc"],
    ["padding", `${writeCursor({ createdAt: 1, source: "generator", id: 1 })}=`],
    ["plain text", "1.1.nats"],
    ["a time before the year 0000", cursorOf("-62167219200001.1.nats")],
    ["a time after the year 9999", cursorOf("253402300800000.1.nats")],
    ["an id of 0", cursorOf("1.0.nats")],
    ["an id beyond 2^53-1", cursorOf("1.9007199254740992.nats")],
    ["a number in another form", cursorOf("01.1.nats")],
    ["an impossible source", cursorOf("1.1.a b")],
    ["no source", cursorOf("1.1.")],
    ["a source that is too long", cursorOf(`1.1.${"a".repeat(65)}`)],
    ["a line break at the end", cursorOf("1.1.nats\n")],
    ["not UTF-8", Buffer.from([0x31, 0x2e, 0x31, 0x2e, 0xff]).toString("base64url")],
  ])("%s", (_what, cursor) => {
    expect(() => readCursor(cursor)).toThrow(CursorError);
    expect(() => readCursor(cursor)).toThrow("cursor must be a next_cursor of an earlier answer.");
  });

  test("any text that no page gave out", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        let again = text;
        try {
          again = writeCursor(readCursor(text));
        } catch (err) {
          expect(err).toBeInstanceOf(CursorError);
        }
        expect(again).toBe(text);
      }),
    );
  });
});
