import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { anySchema, rawSchemas } from "../internal/casino/schema.ts";
import { gameKind } from "../internal/games/game-kind.ts";
import { playerKind } from "../internal/players/player-kind.ts";
import { changeSchema, settingsSchema } from "../internal/webhooks/settings.ts";

// Processes do not check these schemas when they start (internal/casino/own-schema.ts).

const ajv = new Ajv();

test.each([
  ...[...Object.entries(rawSchemas), ["any", anySchema] as const],
  ["players", playerKind.schema] as const,
  ["games", gameKind.schema] as const,
  ["destinations", settingsSchema] as const,
  ["changes of destinations", changeSchema] as const,
])("the schema of %s is valid JSON Schema", (_name, schema) => {
  expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
});

test("one that is none is found", () => {
  expect(ajv.validateSchema({ type: "objct" })).toBe(false);
});
