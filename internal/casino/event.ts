/** The types of event that every client can send; a client may register custom types besides. */
export const casinoTypes = ["game_start", "game_stop", "bet", "deposit"] as const;
export type CasinoType = (typeof casinoTypes)[number];

/** A player as the player step adds it; `last_signed_in_at` has the form of `created_at`. */
export interface Player {
  readonly email: string;
  readonly last_signed_in_at: string | null;
}

interface Always {
  /** 1..2^53-1, unique within one client and source. */
  readonly id: number;
  /** The one form that `parseTimestamp` gives. */
  readonly created_at: string;
  /** Added; absent while or because the player is not known. */
  readonly player?: Player;
  /** Added: the event as an English sentence. */
  readonly description?: string;
}

export interface GameEvent extends Always {
  readonly type: "game_start" | "game_stop";
  readonly player_id: number;
  readonly game_id: number;
}

interface Money extends Always {
  readonly player_id: number;
  /** 0..2^53-1, in the smallest unit of the currency: 300 is 3.00 EUR, 1 is 0.00000001 BTC. */
  readonly amount: number;
  /** Three capitals; whether they are a supported currency, `minorUnits` says. */
  readonly currency: string;
  /** Added: the amount in euro cents, 0..2^53-1. */
  readonly amount_eur?: number;
}

export interface BetEvent extends Money {
  readonly type: "bet";
  readonly game_id: number;
  readonly has_won: boolean;
}

export interface DepositEvent extends Money {
  readonly type: "deposit";
}

export interface CustomEvent extends Always {
  /** None of the casino types. */
  readonly type: string;
  /** What the registered JSON Schema of the type describes. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** One event of a casino. Ask `isCustom` first: what is left is told apart by its `type`. */
export type CasinoEvent = GameEvent | BetEvent | DepositEvent | CustomEvent;

const casinoTypeSet: ReadonlySet<string> = new Set(casinoTypes);

export const isCasinoType = (type: string): type is CasinoType => casinoTypeSet.has(type);

export const isCustom = (event: CasinoEvent): event is CustomEvent => !isCasinoType(event.type);

/** Whether an event carries an amount: the currency step has work on these only. */
export const isMoney = (event: CasinoEvent): event is BetEvent | DepositEvent =>
  event.type === "bet" || event.type === "deposit";

export const EVENT_TYPE_PATTERN = "^[a-z0-9_-]{1,40}$";
const clientPattern = /^[a-z0-9-]{1,40}$/;
const eventTypePattern = new RegExp(EVENT_TYPE_PATTERN);
const sourcePattern = /^[A-Za-z0-9._-]{1,64}$/;

/** Whether a text can name a client: a token of NATS subjects. */
export const isClient = (text: string): boolean => clientPattern.test(text);

/** Whether a text can name a type of event, casino or custom: a token of NATS subjects. */
export const isEventType = (text: string): boolean => eventTypePattern.test(text);

/** Whether a text can name a source, the producer within a client that numbers its events. */
export const isSource = (text: string): boolean => sourcePattern.test(text);
