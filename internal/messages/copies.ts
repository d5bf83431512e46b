import { isObject } from "../jetstream/api.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { acceptedForm, isNext, later, parseAccepted } from "./accepted.ts";
import { eventOf, keyText } from "./event-key.ts";
import { copiesSubject } from "./subjects.ts";

/** An accepted event that CASINO_EVENTS did not store, because one of the same client, source and id was there already. */
export interface Copy {
  /** The value of the header `Casino-Accepted`: which accepted event ended here. Empty where it was none. */
  readonly accepted: string;
  /** `<client>:<source>:<id>` */
  readonly event: string;
  /** The sequence of the one that was there. */
  readonly copyOf: number;
}

/** As it is written: so many copies in a row, of which each next one has the next number, the next id and the next sequence. */
interface CopyRange extends Copy {
  readonly count: number;
}

/**
 * The message that writes copies down. What a producer sends again in its order is one range, however much it is.
 * @param step the one that forwarded them
 * @param stream the one that dropped them
 */
export function copiesMessage(step: string, stream: string, copies: readonly Copy[]): Outgoing {
  const payload = JSON.stringify({ stream, copies: rangesOf(copies) });
  return { subject: copiesSubject(step), payload, headers: new OutgoingHeaders() };
}

/** The copies that a message tells of, each; none for one that tells of none. Anybody may publish there. */
export function* readCopies(payload: Uint8Array): Generator<Copy> {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return;
  }
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

/** Most copies that one range is believed to tell of: a step writes a few hundred at once. */
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
    isCount(value.copyOf) &&
    isCount(value.count) &&
    value.count <= mostCopies
  );
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0;
