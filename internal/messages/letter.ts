import type { FieldError } from "../casino/field-error.ts";
import type { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader } from "./accepted.ts";
import { defaultSource, replaysHeader } from "./envelope.ts";

/** A dead letter's subject and headers, for lists. For a message that is no letter, texts are empty. */
export interface LetterHead {
  /** Its sequence in CASINO_DEAD, which people use as its number. */
  readonly seq: number;
  /** When CASINO_DEAD stored it, in ms since the epoch. */
  readonly storedAt: number;
  /** When it was set aside, as an ISO date-time. */
  readonly at: string;
  readonly step: string;
  readonly client: string;
  /** Normally one of `deadReasons`. */
  readonly reason: string;
  /** A sentence, with JSON pointers where there are any. */
  readonly error: string;
  /** The subject on which the message failed. */
  readonly failedOn: string;
  readonly deliveries: number;
  readonly replays: number;
  readonly bytes: number;
  /** The message that was set aside, `<stream>:<sequence>`. */
  readonly message: string;
  /** Its header `Casino-Accepted`. */
  readonly accepted: string;
  /** The letter's own `Nats-Msg-Id`. */
  readonly id: string;
  /** Sequences in CASINO_DEAD of the parts that hold its bytes; empty when its payload does. */
  readonly parts: readonly number[];
}

/** A dead letter with everything in it. */
export interface Letter extends LetterHead {
  readonly headers: ReceivedHeaders;
  /** The original bytes, wherever they are stored. */
  readonly payload: Uint8Array;
  /** Whether these are all bytes: a separate part may be gone. */
  readonly isWhole: boolean;
}

/** A message of CASINO_DEAD as the broker returns it. */
export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  /** In ms since the epoch. */
  readonly storedAt: number;
  readonly bytes: number;
}

/** Reads a message for lists. Anybody may publish there, so it accepts everything. */
export function readHead({ seq, subject, headers, storedAt, bytes }: StoredMessage): LetterHead {
  const [, , step = "", client = "", ...rest] = subject.split(".");
  const at = Date.parse(headers.get("Casino-Dead-At"));
  const id = headers.get("Nats-Msg-Id");
  return {
    seq,
    storedAt,
    at: new Date(Number.isNaN(at) ? storedAt : at).toISOString(),
    step,
    client: rest.length === 0 ? client : "",
    reason: headers.get("Casino-Dead-Reason"),
    error: headers.get("Casino-Dead-Error"),
    failedOn: headers.get("Casino-Dead-Subject"),
    deliveries: count(headers.get("Casino-Dead-Deliveries")),
    replays: count(headers.get(replaysHeader)),
    bytes: count(headers.get("Casino-Dead-Size")) || bytes,
    // Letters of earlier versions had it in their id.
    message: headers.get("Casino-Dead-Message") || id.replace(/:dead$/, ""),
    accepted: headers.get(acceptedHeader),
    id,
    parts: headers.get("Casino-Dead-Parts").split(",").map(count).filter(Boolean),
  };
}

/** The producer within the client, as the event's envelope names it. */
export function sourceOf({ headers }: Letter): string {
  return headers.get("Casino-Source") || defaultSource;
}

/** Splits an error's sentence: each JSON pointer with its problem, "" where there is no pointer. */
export function errorsOf({ error }: LetterHead): readonly FieldError[] {
  return error.split(/; (?=\/)/).map((part) => {
    const [, path = "", message = part] = /^(\/\S*) (.+)$/.exec(part) ?? [];
    return { path, message };
  });
}

function count(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
