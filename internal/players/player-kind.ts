import { Type } from "typebox";
import { fieldError } from "../casino/field-error.ts";
import { isStorableText, textError } from "../casino/storable.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import { idForm, type RecordKind, recordReader } from "../records/record.ts";

/** A player as clients keep it here. */
export interface PlayerRecord {
  readonly id: number;
  readonly email: string;
  /** UTC with milliseconds; null: never, or not known. */
  readonly last_signed_in_at: string | null;
}

const schema = Type.Object({
  id: Type.Integer({ ...idForm, description: "the client's own number, `player_id` of its events" }),
  email: Type.String({ minLength: 3, maxLength: 320, pattern: "@", description: "with an @" }),
  last_signed_in_at: Type.Optional(
    Type.Unsafe<string | null>({
      type: ["string", "null"],
      format: "date-time",
      description: "RFC 3339, from the year 1 on; written as UTC with milliseconds. Absent = null = none",
    }),
  ),
});

export const playerKind: RecordKind<PlayerRecord> = {
  one: "player",
  many: "players",
  schema,
  columns: { email: "text", last_signed_in_at: "timestamptz" },
  read: recordReader(schema, ({ id, email, last_signed_in_at: signedIn = null }, errors) => {
    if (!isStorableText(email)) errors.push(textError("/email"));
    const last_signed_in_at = signedIn === null ? null : (parseTimestamp(signedIn) ?? "");
    // Postgres would have to call the year 0000 "1 BC".
    if (last_signed_in_at === "" || last_signed_in_at?.startsWith("0000"))
      errors.push(
        fieldError("/last_signed_in_at", "must be an existing RFC 3339 date-time from the year 1 on"),
      );
    return { id, email, last_signed_in_at };
  }),
};
