/** A destination's settings, as its client set them. */
export interface DestinationSettings {
  readonly url: string;
  /** Null = all event types. */
  readonly types: readonly string[] | null;
  /** The client's own headers, by name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Maximum calls per second; null = no limit. */
  readonly rateLimit: number | null;
  /** One event at a time per player. */
  readonly ordered: boolean;
  /** Maximum events per call, 1..100. */
  readonly batch: number;
  readonly enabled: boolean;
}

/** Defaults of a destination's settings. */
export const defaultSettings: Omit<DestinationSettings, "url"> = {
  types: null,
  headers: {},
  rateLimit: null,
  ordered: false,
  batch: 1,
  enabled: true,
};

/** A destination's state, which the sender maintains. */
interface DestinationState {
  /** Null while it is enabled. */
  readonly disabledAt: Date | null;
  /** A sentence, for its client. */
  readonly disabledReason: string | null;
  /** Since when all attempts have failed; null if the last one succeeded. */
  readonly failingSince: Date | null;
}

/** A destination with its secrets, for the sender. Never log it or return it. */
export interface Destination extends DestinationSettings, DestinationState {
  /** `[a-z0-9]{16}`: part of a durable consumer's name and of a subject. */
  readonly id: string;
  readonly client: string;
  /** The secrets that sign now, newest first, each as `whsec_…`; two during a rotation. */
  readonly secrets: readonly string[];
  readonly createdAt: Date;
  /** Grows with each change of settings or state. */
  readonly updatedAt: Date;
}

/** Whether events of this type go there. */
export function wants({ types }: Pick<DestinationSettings, "types">, type: string): boolean {
  return types === null || types.includes(type);
}
