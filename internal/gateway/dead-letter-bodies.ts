import type { FastifyRequest } from "fastify";
import { errorsOf, type Letter, type LetterHead, sourceOf } from "../dead-letters/letter.ts";
import { Problem } from "../problem.ts";
import { mediaTypeOf } from "./media-type.ts";

/** The bytes of a request's body, which say that they are JSON; undefined where it has none. @throws Problem 415 */
export function bodyOf(request: FastifyRequest): Uint8Array | undefined {
  const { body } = request;
  if (!(body instanceof Uint8Array) || body.length === 0) return undefined;
  mediaTypeOf(request, ["application/json"]);
  return body;
}

/** A body's members; none without a body. @throws Problem 400 */
export function jsonOf(body: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  if (body === undefined) return {};
  const text = utf8(body);
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below.
  }
  throw new Problem(400, "The body is no JSON object in UTF-8.");
}

/** A letter as lists show it. */
export function headBody({ client, failedOn, ...head }: LetterHead) {
  const { seq, at, reason, step, error, deliveries, replays, bytes } = head;
  return { seq, at, reason, step, client_id: client, error, subject: failedOn, deliveries, replays, bytes };
}

/** A letter with everything in it. */
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

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
