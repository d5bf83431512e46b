import { isSource } from "../casino/event.ts";

/** A position in a client's events: by `created_at` descending, then source, then id. */
export interface Position {
  /** `created_at` in ms since the epoch. */
  readonly createdAt: number;
  readonly source: string;
  readonly id: number;
}

/** A cursor that no page has returned. The message is one sentence for the client. */
export class CursorError extends Error {
  override readonly name = "CursorError";

  constructor() {
    super("cursor must be a next_cursor of an earlier answer.");
  }
}

const earliest = Date.parse("0000-01-01T00:00:00.000Z");
const latest = Date.parse("9999-12-31T23:59:59.999Z");
const form = /^(-?\d{1,15})\.(\d{1,16})\.(.{1,64})$/;

/** A position as text for a URL. It contains no secret: a changed one only selects another position. */
export function writeCursor({ createdAt, source, id }: Position): string {
  return Buffer.from(`${createdAt}.${id}.${source}`).toString("base64url");
}

/** @throws CursorError for anything that `writeCursor` does not write */
export function readCursor(cursor: string): Position {
  const [, time, number, source = ""] = form.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  const position = { createdAt: Number(time), source, id: Number(number) };
  const possible =
    position.createdAt >= earliest &&
    position.createdAt <= latest &&
    position.id >= 1 &&
    Number.isSafeInteger(position.id) &&
    isSource(source);
  // Buffer skips what is not base64url, and numbers have several forms: only one text per position is accepted.
  if (!possible || writeCursor(position) !== cursor) throw new CursorError();
  return position;
}
