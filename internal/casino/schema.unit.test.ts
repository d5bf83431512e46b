import type { Static } from "typebox";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { BetEvent, CustomEvent, DepositEvent, GameEvent, Player } from "./event.ts";
import { enrichedSchemas, rawSchemas } from "./schema.ts";

type Schemas = typeof enrichedSchemas;
type Drafted<T> = { -readonly [K in keyof T]: Drafted<T[K]> };
type DraftedCustom = Omit<Drafted<CustomEvent>, "data"> & { data: Record<string, unknown> };

describe("the schemas", () => {
  it("describe the types of the events", () => {
    expectTypeOf<Static<Schemas["game"]>>().branded.toEqualTypeOf<Drafted<GameEvent>>();
    expectTypeOf<Static<Schemas["bet"]>>().branded.toEqualTypeOf<Drafted<BetEvent>>();
    expectTypeOf<Static<Schemas["deposit"]>>().branded.toEqualTypeOf<Drafted<DepositEvent>>();
    expectTypeOf<Static<Schemas["custom"]>>().branded.toEqualTypeOf<DraftedCustom>();
    expectTypeOf<NonNullable<Static<Schemas["bet"]>["player"]>>().toEqualTypeOf<Drafted<Player>>();
  });

  it("name the keys that an event must have", () => {
    const always = ["created_at", "id", "type"];
    const required = (schema: { required: readonly string[] }) => [...schema.required].sort();
    expect(required(rawSchemas.game)).toEqual(["created_at", "game_id", "id", "player_id", "type"]);
    expect(required(rawSchemas.bet)).toEqual([
      "created_at",
      "currency",
      "game_id",
      "id",
      "player_id",
      "type",
    ]);
    expect(required(rawSchemas.deposit)).toEqual(["created_at", "currency", "id", "player_id", "type"]);
    expect(required(rawSchemas.custom)).toEqual([...always, "data"].sort());
    expect(required(enrichedSchemas.bet)).toEqual([...required(rawSchemas.bet), "amount", "has_won"].sort());
    expect(required(enrichedSchemas.deposit)).toEqual([...required(rawSchemas.deposit), "amount"].sort());
  });

  it("are plain JSON, for the documents made from them", () => {
    const schemas = { ...enrichedSchemas, raw: rawSchemas.bet };
    expect(JSON.parse(JSON.stringify(schemas))).toEqual(schemas);
  });
});
