import { expect, test } from "vitest";
import { gameKind } from "./game-kind.ts";

test.each(["It's bananas!", "#1", "東京 🎰", "x".repeat(200)])("%j is a title", (title) => {
  expect(gameKind.read({ id: 100, title, provider: "x" })).toEqual({ ok: true, record: { id: 100, title } });
});

test.each<[unknown, string, string]>([
  [{ id: 100 }, "/title", "must have required property 'title'"],
  [{ id: 100, title: "" }, "/title", "must NOT have fewer than 1 characters"],
  [{ id: 100, title: "x".repeat(201) }, "/title", "must NOT have more than 200 characters"],
  [{ id: 100, title: "two\nlines" }, "/title", 'must match pattern "^\\P{Cc}*$"'],
  [{ id: 100, title: "a\0" }, "/title", 'must match pattern "^\\P{Cc}*$"'],
  [{ id: 100, title: "\ud800" }, "/title", "must not contain U+0000 or a lone surrogate"],
  [{ id: "100", title: "x" }, "/id", "must be integer"],
  [[], "", "must be object"],
])("%j is no game", (value, path, message) => {
  expect(gameKind.read(value)).toEqual({ ok: false, errors: [{ path, message }] });
});
