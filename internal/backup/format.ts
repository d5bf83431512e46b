import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import type { Schema } from "../postgres/schema.ts";
import { CommandError } from "../service/command-error.ts";

// A backup is gzipped lines. The first is a header. Then comes each table: a line with its name and columns, its rows in
// the text format of COPY, and the line `\.`, which no row can be. The last line says how much there was, so that a file
// cut off anywhere is recognized.

/** Every table except the migrations', each after those that it references. */
export const tables = [
  "clients",
  "event_types",
  "event_type_schemas",
  "event_type_changes",
  "players",
  "games",
  "game_versions",
  "api_keys",
  "sessions",
  "erasures",
  "destinations",
  "destination_secrets",
  "destination_places",
  "deliveries",
  "delivery_requests",
  "events",
] as const satisfies readonly (keyof Schema)[];

export const header = Type.Object({
  croupier_backup: Type.Literal(1),
  /** Of the software that wrote it. */
  version: Type.String(),
  at: Type.String(),
  migrations: Type.Array(Type.String()),
});
export type Header = Static<typeof header>;

export const tableLine = Type.Object({
  table: Type.Enum([...tables]),
  columns: Type.Array(Type.String(), { minItems: 1 }),
});

export const endLine = Type.Object({
  end: Type.Literal(true),
  /** By table. */
  rows: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
  /** The last numbers given out for identity columns, by table and column; null: none yet. */
  identities: Type.Array(
    Type.Object({
      table: Type.Enum([...tables]),
      column: Type.String(),
      last: Type.Union([Type.String({ pattern: "^[0-9]{1,18}$" }), Type.Null()]),
    }),
  ),
});
export type EndLine = Static<typeof endLine>;

/** A file that is no complete backup. */
export function damaged(how: string, cause?: unknown): CommandError {
  return new CommandError(
    `The backup is damaged or cut off (${how}): nothing was changed. Take another one.`,
    { cause },
  );
}

/** Parses a line of JSON in a backup. @throws CommandError */
export function parseLine<T extends TSchema>(schema: T, line: string | undefined): Static<T> {
  let value: unknown;
  try {
    value = JSON.parse(line ?? "");
  } catch (err) {
    throw damaged("a line that should be JSON is none", err);
  }
  if (!Value.Check(schema, value)) throw damaged("a line is not what it should be");
  return value;
}
