import { errorsOf, type Letter, type LetterHead, sourceOf } from "../messages/letter.ts";
import type { LetterGroup } from "./survey.ts";

// Letters as JSON, the same over HTTP and on the command line.

/** A letter as lists show it. */
export function headBody({ client, failedOn, ...head }: LetterHead) {
  const { seq, at, reason, step, error, deliveries, replays, bytes } = head;
  return { seq, at, reason, step, client_id: client, error, subject: failedOn, deliveries, replays, bytes };
}

/** How many letters have the same reason, step and client. */
export function groupBody({ client, ...group }: LetterGroup) {
  return { ...group, client_id: client };
}

export function letterBody(letter: Letter) {
  const text = utf8(letter.payload);
  return {
    ...headBody(letter),
    errors: errorsOf(letter),
    source: sourceOf(letter),
    headers: headersOf(letter),
    payload: text ?? Buffer.from(letter.payload).toString("base64"),
    payload_encoding: text === undefined ? "base64" : "utf-8",
  };
}

function headersOf({ headers }: Letter): Readonly<Record<string, string>> {
  const all = Map.groupBy(headers.entries(), ([name]) => name);
  return Object.fromEntries(
    [...all].map(([name, entries]) => [name, entries.map(([, value]) => value).join(", ")]),
  );
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined for bytes that are not UTF-8. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
