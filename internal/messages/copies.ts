import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { isObject, isPositiveInteger, readJson } from "../service/json.ts";
import { acceptedForm, isNext, later, parseAccepted } from "./accepted.ts";
import { eventOf, keyText } from "./event-key.ts";
import { copiesSubject } from "./subjects.ts";

/** An accepted event that CASINO_EVENTS did not store, because it already had one of the same client, source and id. */
export interface Copy {
  /** The header `Casino-Accepted` of the dropped event; empty when it was made of nothing accepted. */
  readonly accepted: string;
  /** `<client>:<source>:<id>` */
  readonly event: string;
  /** The sequence of the stored event. */
  readonly copyOf: number;
}

/** As written: a run of copies in which number, id and sequence each grow by one. */
interface CopyRange extends Copy {
  readonly count: number;
}

/**
 * The message that records copies. What a producer resends in order is one range, however much it is.
 * @param step the step that forwarded them
 * @param stream the stream that dropped them
 */
export function copiesMessage(step: string, stream: string, copies: readonly Copy[]): Outgoing {
  const payload = JSON.stringify({ stream, copies: rangesOf(copies) });
  return { subject: copiesSubject(step), payload, headers: new OutgoingHeaders() };
}

/** Each copy that a message records; none for a malformed message. Anybody may publish there. */
export function* readCopies(payload: Uint8Array): Generator<Copy> {
  const body = readJson(Buffer.from(payload).toString());
  if (!isObject(body) || !Array.isArray(body.copies)) return;
  for (const range of body.copies) if (isRange(range)) yield* copiesIn(range);
}

function rangesOf(copies: readonly Copy[]): readonly CopyRange[] {
  const ranges: { -readonly [K in keyof CopyRange]: CopyRange[K] }[] = [];
  let last: Copy | undefined;
  for (const copy of copies) {
    const range = ranges.at(-1);
    if (range !== undefined && last !== undefined && follows(last, copy)) range.count++;
    else ranges.push({ ...copy, count: 1 });
    last = copy;
  }
  return ranges;
}

function follows(one: Copy, other: Copy): boolean {
  const [first, second] = [parseAccepted(one.accepted), parseAccepted(other.accepted)];
  const [key, next] = [eventOf(one.event), eventOf(other.event)];
  return (
    first !== undefined &&
    second !== undefined &&
    isNext(first, second) &&
    key !== undefined &&
    other.event === keyText({ ...key, id: key.id + 1 }) &&
    next !== undefined &&
    other.copyOf === one.copyOf + 1
  );
}

/** Most copies that a range may claim: a step writes a few hundred at once. */
const mostCopies = 10_000;

function* copiesIn({ count, ...first }: CopyRange): Generator<Copy> {
  yield first;
  const [accepted, key] = [parseAccepted(first.accepted), eventOf(first.event)];
  if (accepted === undefined || key === undefined) return;
  for (let by = 1; by < count; by++)
    yield {
      accepted: acceptedForm(later(accepted, by)),
      event: keyText({ ...key, id: key.id + by }),
      copyOf: first.copyOf + by,
    };
}

function isRange(value: unknown): value is CopyRange {
  return (
    isObject(value) &&
    typeof value.accepted === "string" &&
    typeof value.event === "string" &&
    (value.copyOf === 0 || isPositiveInteger(value.copyOf)) &&
    isPositiveInteger(value.count) &&
    value.count <= mostCopies
  );
}
