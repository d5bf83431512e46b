import { euroCents, oracleRates } from "../oracle.ts";

/** The facts of a final event that are worth comparing. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * What must become of a message. `either`: the documentation leaves it open, or deciding it would take the very code
 * that is tested; then any final event or any dead letter will do.
 */
export type Expectation =
  | { readonly outcome: "final"; readonly facts: Facts }
  | { readonly outcome: "dead"; readonly reason?: string }
  | { readonly outcome: "either" };

export interface Envelope {
  /** The last token of the subject. */
  readonly client: string;
  /** The header Casino-Source; undefined where nobody can tell. */
  readonly source: string | undefined;
  readonly contentType: string;
}

/** The clients and custom types that are registered; the types' schemas demand an object and no more. */
export const knownClients = ["casino", "acme-casino"];
export const anythingType = "anything";

const gaveWayToTheEuro = new Set(
  "ATS BEF BGN CYP DEM EEK ESP FIM FRF GRD HRK IEP ITL LTL LUF LVL MTL NLG PTE SIT SKK".split(" "),
);

const dead = (reason?: string): Expectation => ({ outcome: "dead", ...(reason ? { reason } : {}) });
const either: Expectation = { outcome: "either" };
const isFrom = (least: number, value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= 9007199254740991;

/** Most events of a message. */
const mostEvents = 1_000;

/**
 * Works out from the words of docs/subjects.md what must become of the events of a message, in their order; of one that as a
 * whole is none, one. Undefined where not even their number can be told. Shares no code with internal/.
 */
export function expectationsOf(
  { client, source, contentType }: Envelope,
  payload: Uint8Array,
): readonly Expectation[] | undefined {
  if (!/^[a-z0-9-]{1,40}$/.test(client)) return [dead("unknown_client")];
  if (source === undefined || /protobuf/i.test(contentType)) return undefined;
  if (source !== "" && !/^[A-Za-z0-9._-]{1,64}$/.test(source)) return [dead("invalid_event")];
  const mediaType = contentType
    .replace(/^Content-Type:/, "")
    .split(";", 1)[0]
    ?.trim()
    .toLowerCase();
  const isLines = mediaType === "application/x-ndjson";
  // What comes after a byte order mark may be several.
  if (!isLines && parsed(payload) === marked) return undefined;
  const parts = isLines ? linesOf(payload) : elementsOf(payload);
  if ("outcome" in parts) return [parts];
  if (parts.length > mostEvents) return [dead("too_large")];
  const verdicts = parts.map(valueExpectation);
  // Whether the client exists is asked after all else.
  return verdicts.map((verdict) =>
    verdict.outcome === "final" && !knownClients.includes(client) ? dead("unknown_client") : verdict,
  );
}

/** In place of what is no JSON in UTF-8, or begins with a byte order mark. */
const noJson = Symbol("no JSON");
const marked = Symbol("byte order mark");

function valueExpectation(value: unknown): Expectation {
  if (value === marked) return either;
  if (value === noJson) return dead("invalid_json");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return dead("invalid_event");
  return eventExpectation(new Map(Object.entries(value)));
}

function linesOf(payload: Uint8Array): readonly unknown[] | Expectation {
  const lines = Buffer.from(payload)
    .toString("latin1")
    .split("\n")
    .map((line) => line.replace(/^[ \t\r]+|[ \t\r]+$/g, ""))
    .filter((line) => line !== "")
    .map((line) => parsed(Buffer.from(line, "latin1")));
  return lines.length > 0 ? lines : dead("invalid_json");
}

function elementsOf(payload: Uint8Array): readonly unknown[] | Expectation {
  const value = parsed(payload);
  if (!Array.isArray(value)) return [value];
  return value.length > 0 ? value : dead("invalid_event");
}

function parsed(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString("utf8");
  if (Buffer.compare(Buffer.from(text), bytes) !== 0) return noJson;
  if (text.startsWith("\ufeff")) return marked;
  try {
    return JSON.parse(text);
  } catch {
    return noJson;
  }
}

function eventExpectation(event: ReadonlyMap<string, unknown>): Expectation {
  const type = event.get("type");
  if (typeof type !== "string" || !/^[a-z0-9_-]{1,40}$/.test(type)) return dead("invalid_event");
  // Registered as examples, with schemas of their own.
  if (type === "transaction_approved" || type === "monitor-app") return either;
  const isMoney = type === "bet" || type === "deposit";
  const isGame = type === "game_start" || type === "game_stop";
  const isCustom = type === anythingType;
  if (!isMoney && !isGame && !isCustom) return dead("unknown_type");

  const facts: Record<string, unknown> = { id: event.get("id"), type };
  if (!isCustom) facts.player_id = event.get("player_id");
  if (isGame || type === "bet") facts.game_id = event.get("game_id");
  if (!["id", "player_id", "game_id"].every((key) => !(key in facts) || isFrom(1, facts[key])))
    return dead("invalid_event");
  if (type === "bet") facts.has_won = event.has("has_won") ? event.get("has_won") : false;
  if (type === "bet" && typeof facts.has_won !== "boolean") return dead("invalid_event");
  if (isCustom) {
    const data = event.get("data");
    if (typeof data !== "object" || data === null || Array.isArray(data)) return dead("invalid_event");
    if (!isPlain(data, 40)) return either;
    facts.data = data;
  }
  const created = createdAt(event.get("created_at"));
  if (created === "either") return either;
  if (created === undefined) return dead("invalid_event");
  facts.created_at = created;
  return isMoney ? moneyExpectation(event, facts) : { outcome: "final", facts };
}

function moneyExpectation(event: ReadonlyMap<string, unknown>, facts: Facts): Expectation {
  const amount = event.has("amount") ? event.get("amount") : 0;
  const currency = event.get("currency");
  if (!isFrom(0, amount)) return dead("invalid_event");
  if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency)) return dead("invalid_event");
  // They are taken for events of their own time, which is not worked out here.
  if (gaveWayToTheEuro.has(currency)) return either;
  if (currency !== "EUR" && !(currency in oracleRates)) return dead("unsupported_currency");
  const amount_eur = euroCents(amount, currency);
  if (amount_eur > Number.MAX_SAFE_INTEGER) return dead("invalid_event");
  return { outcome: "final", facts: { ...facts, amount: amount + 0, currency, amount_eur } };
}

/** Whether nothing in it is of the kinds that have rules of their own: control characters, surrogates, depth, infinity. */
function isPlain(value: unknown, levels: number): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || value === null) return true;
  return (
    levels > 0 && Object.entries(value).every((entry) => entry.every((part) => isPlain(part, levels - 1)))
  );
}

/** Its final form; undefined for what is no existing date-time. */
function createdAt(value: unknown): string | "either" | undefined {
  if (typeof value !== "string") return undefined;
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d)(?::(\d\d))?)$/.exec(
    value,
  );
  if (parts === null) return /^\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d/.test(value) ? "either" : undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    ...[number, number, number],
    ...[number, number, number], // six groups, all of them matched
  ];
  const [, , , , , , , fraction = "", sign, offsetHours = "0", offsetMinutes = "0"] = parts;
  if (second === 60) return "either";
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  const exists = day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
  if (!exists || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  // Years that `Date` takes for others, and those that an offset moves out of the calendar.
  if (year < 100 || year > 9998) return "either";
  const offset = (sign === "-" ? -1 : 1) * (Number(offsetHours) * 60 + Number(offsetMinutes));
  const milliseconds = Number(`${fraction}000`.slice(0, 3));
  return new Date(
    Date.UTC(year, month - 1, day, hour, minute, second, milliseconds) - offset * 60_000,
  ).toISOString();
}

const order = [
  ...["id", "player_id", "game_id", "type", "amount", "currency", "has_won", "created_at"],
  ...["data", "amount_eur", "player", "description"],
];
const needed: Readonly<Record<string, readonly string[]>> = {
  game_start: ["player_id", "game_id"],
  game_stop: ["player_id", "game_id"],
  bet: ["player_id", "game_id", "amount", "currency", "has_won", "amount_eur"],
  deposit: ["player_id", "amount", "currency", "amount_eur"],
};

/** What is wrong with a final event, whatever it was made of; undefined when it is one. */
export function flawOf(payload: Uint8Array): string | undefined {
  const text = Buffer.from(payload).toString("utf8");
  const event: Record<string, unknown> = JSON.parse(text);
  const keys = Object.keys(event);
  const type = String(event.type);
  const must = ["id", "type", "created_at", "description", ...(needed[type] ?? ["data"])];
  const may = [...must, "player"];
  if (JSON.stringify(event) !== text) return "it is not the shortest JSON";
  for (const key of must) if (!keys.includes(key)) return `${key} is missing`;
  for (const key of keys) if (!may.includes(key)) return `${key} has no business here`;
  if (keys.join() !== order.filter((key) => keys.includes(key)).join()) return `the order is ${keys}`;
  for (const key of ["id", "player_id", "game_id"])
    if (keys.includes(key) && !isFrom(1, event[key])) return `${key} is ${event[key]}`;
  for (const key of ["amount", "amount_eur"])
    if (keys.includes(key) && !isFrom(0, event[key])) return `${key} is ${event[key]}`;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(event.created_at))) return "created_at";
  if (!/ on [A-Z][a-z]+ \d{1,2}(st|nd|rd|th), \d+ at \d\d:\d\d UTC\.$/.test(String(event.description)))
    return `the description is ${event.description}`;
  return undefined;
}
