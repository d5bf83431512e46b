import { Type } from "typebox";
import { isStorableText, textError } from "../casino/storable.ts";
import { idForm, type RecordKind, recordReader } from "../records/record.ts";

/** A game as clients keep it here. */
export interface GameRecord {
  readonly id: number;
  readonly title: string;
}

const schema = Type.Object({
  id: Type.Integer({ ...idForm, description: "the client's own number, `game_id` of its events" }),
  title: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: "^\\P{Cc}*$",
    description: "as descriptions of events quote it; without control characters",
  }),
});

export const gameKind: RecordKind<GameRecord> = {
  one: "game",
  many: "games",
  schema,
  columns: { title: "text" },
  read: recordReader(schema, ({ id, title }, errors) => {
    if (!isStorableText(title)) errors.push(textError("/title"));
    return { id, title };
  }),
};
