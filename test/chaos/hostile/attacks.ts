import { seededRandom } from "../../../internal/generator/random.ts";
import { idOf, type SenderName } from "../events.ts";

/** The hostile producer's client. */
export const mallory = "mallory";

/** A valid event of hers, which must become final once its message is stored. */
export interface HostileEvent {
  readonly id: number;
  readonly source: string;
  /** In US cents, so that a forged rate would show in the euros. */
  readonly amount: number;
}

/** A hostile message, and what it must become if CASINO_RAW stores it. */
export interface Attack {
  readonly kind: string;
  readonly subject: string;
  /** The reply subject, if that is the weapon; she then receives no PubAck. */
  readonly reply?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string | Uint8Array;
  readonly finals: readonly HostileEvent[];
  /** The number of dead letters that it must become. */
  readonly letters: number;
}

const ownSubject = `casino.event.raw.${mallory}`;
/** Her players, by which her events are recognized where only the event is visible. */
const firstPlayer = 900_000;
const isHers = /"player_id":9\d{5}[,}]/;

/** Whether a final event's text is one of hers. */
export function isFromMallory(text: string): boolean {
  return isHers.test(text);
}

/** Subjects to which JetStream, the pipeline or other clients listen. */
const targets: readonly string[] = [
  ...["CASINO_RAW", "CASINO_PRICED", "CASINO_APART", "CASINO_EVENTS", "CASINO_DEAD", "CASINO_LEDGER"].flatMap(
    (stream) => [
      `$JS.API.STREAM.PURGE.${stream}`,
      `$JS.API.STREAM.DELETE.${stream}`,
      `$JS.API.STREAM.MSG.DELETE.${stream}`,
    ],
  ),
  "$JS.API.CONSUMER.DELETE.CASINO_EVENTS.archiver",
  "casino.event.raw.casino",
  "casino.event.raw.acme-casino",
  "casino.event.priced.casino.bet",
  "casino.event.profiled._.bundle",
  "casino.event.apart.currency.casino",
  "casino.event.final.casino.bet",
  "casino.dead.currency.casino",
  "casino.dead.archiver.acme-casino",
  "casino.ledger.letter.1",
  "casino.copies.currency",
  "casino.materialized",
  "$KV.casino_rates.EUR",
  "_INBOX_gateway.guessed.1",
];

/** Headers with a meaning for the server: roll-up, expiry, schedule, counter, batch, expectations. */
const orders: readonly Readonly<Record<string, string>>[] = [
  { "Nats-Rollup": "all" },
  { "Nats-Rollup": "sub" },
  { "Nats-TTL": "1s" },
  { "Nats-Schedule": "@at 2026-01-01T00:00:00Z", "Nats-Schedule-Target": "casino.event.raw.casino" },
  { "Nats-Incr": "+1" },
  { "Nats-Batch-Id": "hers", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1" },
  { "Nats-Expected-Last-Sequence": "1" },
  { "Nats-Expected-Stream": "CASINO_DEAD" },
];

/** Headers that the pipeline uses internally. */
const claims: readonly Readonly<Record<string, string>>[] = [
  { "Casino-Accepted": "1 1767225600000" },
  { "Casino-Accepted": "1.1/1000 1767225600000", "Casino-Count": "256" },
  { "Casino-Replays": "7" },
  { "Casino-Replay": `1:${"0".repeat(32)}` },
  { "Casino-Rate": "0.0001", "Casino-Rate-At": "2026-01-01T00:00:00.000Z" },
  { "Casino-Dead-Step": "archiver", "Casino-Dead-Reason": "too_large", "Casino-Dead-Subject": ownSubject },
  { "Casino-Dead-Parts": "1,2,3", "Casino-Dead-Size": "1" },
  { "XNats-Msg-Id": "1:1:currency:0:dead", traceparent: "00-junk-junk-00" },
];

/** Payloads without a readable event; each becomes one dead letter. */
const junk: readonly (readonly [payload: string, contentType?: string])[] = [
  [""],
  ["{"],
  ["null"],
  ["[]"],
  ['[{"id":1},'],
  [`[${"0,".repeat(1_000)}0]`],
  ["\n\n \r\n", "application/x-ndjson"],
  ["\u0000".repeat(64)],
  [`[${"[".repeat(5_000)}${"]".repeat(5_000)}]`],
  ["{".repeat(30_000)],
  ['{"id":1e400,"type":"bet"}'],
  ['{"__proto__":{"id":1},"constructor":{"prototype":{}}}'],
  ["\u00ff\u00ff\u00ff\u00ff", "application/x-protobuf"],
  ["\n\u0005\b\u0001\u0012", "application/x-protobuf"],
];

/** Larger than CASINO_RAW takes, and smaller than the server's max_payload. */
const tooLargeBytes = 970 * 1024;

/** Her nth message, and its number within its kind, by which the kind's variants take turns. */
interface Place {
  readonly n: number;
  readonly turn: number;
  readonly seed: number;
  readonly victims: readonly SenderName[];
}

type Kind = (place: Place) => Partial<Omit<Attack, "kind">>;

const badSources = ["a b", "../x", "*", ">", "x".repeat(65)];

const kinds: Readonly<Record<string, Kind>> = {
  "reply subject": (place) => ({ ...single(place), reply: pick(targets, place.turn) }),
  "others' subject": ({ turn }) => ({ subject: pick(targets, turn), payload: "{}" }),
  "forged message id": (place) => ({
    ...single(place),
    ...withHeaders(place, { "Nats-Msg-Id": forgedId(place) }),
  }),
  "the pipeline's headers": (place) => ({
    ...single(place),
    ...withHeaders(place, pick(claims, place.turn)),
  }),
  "the server's headers": (place) => ({ ...single(place), ...withHeaders(place, pick(orders, place.turn)) }),
  "the victim's source and id": (place) => single(place),
  "bad source": (place) => ({
    ...single(place),
    headers: { "Casino-Source": pick(badSources, place.turn) },
    finals: [],
    letters: 1,
  }),
  "array, some of it bad": (place) => {
    const finals = several(place);
    const elements = [...finals.map(textOf), "{}", "17"];
    return { ...withHeaders(place), payload: `[${elements.join()}]`, finals, letters: 2 };
  },
  "lines, some of them bad": (place) => {
    const finals = several(place);
    const lines = ["{", ...finals.map(textOf), "", '"'];
    return {
      ...withHeaders(place, { "Content-Type": "application/x-ndjson" }),
      payload: lines.join("\n"),
      finals,
      // A blank line is no event.
      letters: 2,
    };
  },
  junk: ({ turn }) => {
    const [text, contentType] = pick(junk, turn);
    return {
      headers: contentType === undefined ? {} : { "Content-Type": contentType },
      payload: Buffer.from(text, "latin1"),
      letters: 1,
    };
  },
  "random bytes": ({ seed, n }) => {
    const random = randomOf(seed, n);
    const bytes = Uint8Array.from({ length: 16 + (n % 2_000) }, () => Math.floor(random() * 256));
    // A first byte that begins neither JSON nor an array.
    return { payload: bytes.with(0, 0xff), letters: 1 };
  },
};

const rareKinds: Readonly<Record<string, Kind>> = {
  "too large": () => ({ payload: Buffer.alloc(tooLargeBytes, "["), letters: 1 }),
  "large and broken": () => ({ payload: Buffer.alloc(48 * 1024, "["), letters: 1 }),
};

/** How rare the rare kind is, because it is as large as hundreds of others. */
const rare = 150;

export const attackKinds: readonly string[] = [...Object.keys(kinds), ...Object.keys(rareKinds)];

/**
 * Her nth message, from 1; it depends only on seed and n. Each of her events has the source and id of a victim's event, and is
 * a different event because of its client.
 */
export function attackOf(seed: number, n: number, victims: readonly SenderName[]): Attack {
  const isRare = n % rare === 0;
  const list = Object.entries(isRare ? rareKinds : kinds);
  const index = isRare ? n / rare : n;
  const [kind, make] = pick(list, index);
  const attack = make({ n, turn: Math.floor(index / list.length), seed, victims });
  return { subject: ownSubject, headers: {}, payload: "", finals: [], letters: 0, ...attack, kind };
}

/** A message id of the victim's final events, letters or stages; some already used, some future. */
function forgedId({ n, turn, seed, victims }: Place): string {
  const victim = pick(victims, turn);
  const id = idOf(victim, 1 + Math.floor(randomOf(seed, n)() * 30 * n));
  const event = `${victim.client}:${victim.source}:${id}`;
  return pick(
    [`${event}:final`, event, `${n} 1767225600000:priced`, `1767225600000:${n}:currency:0:dead`],
    turn,
  );
}

/** A valid event of her own. */
function single(place: Place): Partial<Attack> {
  const event = twin(place, 0);
  return { ...withHeaders(place), payload: textOf(event), finals: [event] };
}

function several(place: Place): readonly HostileEvent[] {
  return place.victims.map((_, index) => twin(place, index));
}

function withHeaders({ turn, victims }: Place, more: Attack["headers"] = {}): Pick<Attack, "headers"> {
  return { headers: { "Casino-Source": pick(victims, turn).source, ...more } };
}

function twin({ n, turn, victims }: Place, index: number): HostileEvent {
  return {
    id: idOf(pick(victims, turn + index), n),
    source: pick(victims, turn).source,
    amount: n % 100_000,
  };
}

function textOf({ id, amount }: HostileEvent): string {
  const [player_id, game_id, created_at] = [firstPlayer + (id % 100), 100, "2026-01-01T00:00:00.000Z"];
  return JSON.stringify({ id, player_id, game_id, type: "bet", amount, currency: "USD", created_at });
}

function randomOf(seed: number, n: number): () => number {
  return seededRandom(Math.imul(seed ^ 0x6d616c, 0x9e3779b1) ^ Math.imul(n, 0x85ebca6b));
}

function pick<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error("there is nothing to pick from");
  return found;
}
