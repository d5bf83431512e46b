import type { Decoded } from "../casino/decode.ts";
import { errorsText } from "../casino/field-error.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { type Enclosed, openMessage } from "../messages/enclosed.ts";
import { notJson } from "../messages/raw-message.ts";
import { claimsReplay, type ReplayClaims } from "../messages/replay-claim.ts";
import type { HopTrace } from "../messages/trace.ts";
import { type DeadLetter, deadLetter, type Later } from "./step.ts";
import { traced } from "./traced.ts";
import type { Refused, Work } from "./work.ts";

/**
 * Reads an event. Returns a promise where something must be looked up first; it rejects with `Unavailable` when that
 * is away.
 */
export type Decode = (event: Enclosed) => Decoded | Promise<Decoded>;

/** Decides what becomes of an event or message that could not be read through no fault of its own. */
type OnFailure = (delivery: Delivery, err: unknown) => Promise<Later | DeadLetter>;

type Opened = Work | Refused;

const isSettled = <T>(value: T | Promise<T>): value is T => !(value instanceof Promise);
const areSettled = <T>(values: readonly (T | Promise<T>)[]): values is readonly T[] =>
  values.every(isSettled);

/** Opens messages: finds the events in them and decodes each. */
export class Opener {
  readonly #claims: ReplayClaims;
  readonly #decode: Decode;
  readonly #onFailure: OnFailure;
  readonly #trace: HopTrace | undefined;

  constructor(claims: ReplayClaims, decode: Decode, onFailure: OnFailure, trace?: HopTrace) {
    this.#claims = claims;
    this.#decode = decode;
    this.#onFailure = onFailure;
    this.#trace = trace;
  }

  /** What each message carries, in order: works for the step, and refusals. Never rejects. */
  async open(deliveries: readonly Delivery[]): Promise<readonly (readonly Opened[])[]> {
    const opening = deliveries.map((delivery) => this.#openOne(delivery));
    // Promises are rare here, and one for each message costs more than decoding it.
    return areSettled(opening) ? opening : Promise.all(opening);
  }

  #openOne(delivery: Delivery): readonly Opened[] | Promise<readonly Opened[]> {
    try {
      // Rare: only replayed dead letters claim this, and forgeries.
      if (!claimsReplay(delivery.subject, delivery.headers)) return this.#eventsOf(delivery);
      return this.#openClaimed(delivery).catch((err: unknown) => this.#failedAsAWhole(delivery, err));
    } catch (err) {
      return this.#failedAsAWhole(delivery, err);
    }
  }

  async #openClaimed(delivery: Delivery): Promise<readonly Opened[]> {
    return this.#eventsOf(delivery, await this.#claims.replaysOf(delivery));
  }

  async #failedAsAWhole(delivery: Delivery, err: unknown): Promise<readonly Opened[]> {
    return [{ delivery, enclosed: undefined, outcome: await this.#onFailure(delivery, err) }];
  }

  #eventsOf(delivery: Delivery, replays?: string): readonly Opened[] | Promise<readonly Opened[]> {
    const found = openMessage(delivery, replays);
    if ("reason" in found)
      return [{ delivery, enclosed: undefined, outcome: deadLetter(found.reason, found.because) }];
    const events = this.#trace === undefined ? found : traced(this.#trace, delivery, found);
    delivery.carries(events.length);
    const opening = events.map((enclosed) => this.#decodeOne(delivery, enclosed));
    return areSettled(opening) ? asOne(opening) : Promise.all(opening).then(asOne);
  }

  #decodeOne(delivery: Delivery, enclosed: Enclosed): Opened | Promise<Opened> {
    if (enclosed.flaw !== undefined)
      return { delivery, enclosed, outcome: deadLetter("invalid_event", enclosed.flaw) };
    const failed = async (err: unknown): Promise<Refused> => {
      return { delivery, enclosed, outcome: await this.#onFailure(delivery, err) };
    };
    try {
      const decoded = this.#decode(enclosed);
      if (!(decoded instanceof Promise)) return opened(delivery, enclosed, decoded);
      return decoded.then((result) => opened(delivery, enclosed, result), failed);
    } catch (err) {
      return failed(err);
    }
  }
}

function opened(delivery: Delivery, enclosed: Enclosed, decoded: Decoded): Opened {
  if (decoded.ok) return { delivery, enclosed, client: enclosed.envelope.client, event: decoded.event };
  const because = errorsText(decoded.errors);
  return { delivery, enclosed, outcome: deadLetter(decoded.reason, because) };
}

/** If one element of an array is no JSON, neither is the array. */
function asOne(events: readonly Opened[]): readonly Opened[] {
  for (const event of events)
    if (event.enclosed?.isElement && "outcome" in event && isNotJson(event.outcome)) {
      const { delivery } = event;
      delivery.carries(1);
      return [{ delivery, enclosed: undefined, outcome: deadLetter(notJson.reason, notJson.because) }];
    }
  return events;
}

function isNotJson(outcome: Later | DeadLetter): boolean {
  return outcome.kind === "dead-letter" && outcome.reason === "invalid_json";
}
