/** Where a client wants its events, as it set it up. */
export interface DestinationSettings {
  readonly url: string;
  /** Null: all types of event. */
  readonly types: readonly string[] | null;
  /** The client's own headers, by name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Calls a second; null: no limit. */
  readonly rateLimit: number | null;
  /** One event at a time per player. */
  readonly ordered: boolean;
  /** Most events of one call, 1..100. */
  readonly batch: number;
  readonly enabled: boolean;
}

/** What a destination has where its client says nothing. */
export const defaultSettings: Omit<DestinationSettings, "url"> = {
  types: null,
  headers: {},
  rateLimit: null,
  ordered: false,
  batch: 1,
  enabled: true,
};

/** How a destination does, as the sender sees it. */
export interface DestinationState {
  /** Null while it is enabled. */
  readonly disabledAt: Date | null;
  /** A sentence, for its client. */
  readonly disabledReason: string | null;
  /** Since when nothing but failures has come of it; null when its last attempt did well. */
  readonly failingSince: Date | null;
}

/** A destination as the sender works with it. It holds secrets: never for a log or an answer. */
export interface Destination extends DestinationSettings, DestinationState {
  /** `[a-z0-9]{16}`: part of a durable consumer's name and of a subject. */
  readonly id: string;
  readonly client: string;
  /** Those that sign now, the newest first: two of them during a rotation. Each as `whsec_…`. */
  readonly secrets: readonly string[];
  readonly createdAt: Date;
  /** Grows with each change of the settings, and with each change of its state. */
  readonly updatedAt: Date;
}

/** Whether events of this type go there. */
export function wants({ types }: Pick<DestinationSettings, "types">, type: string): boolean {
  return types === null || types.includes(type);
}
