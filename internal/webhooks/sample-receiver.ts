import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { isObject } from "../service/json.ts";
import { defaultSettings } from "./destination.ts";
import type { Destinations } from "./destinations.ts";

interface ReceivedOf {
  /** Calls with a valid signature, and those with an invalid one. */
  readonly verified: number;
  readonly refused: number;
  /** Events of the valid calls; a batch has several. */
  readonly events: number;
  /** The body of the last valid call. */
  readonly last: unknown;
}

const nothing: ReceivedOf = { verified: 0, refused: 0, events: 0, last: null };

/**
 * Receives webhooks of some clients on this machine, for a first try. It verifies each call with the Standard Webhooks
 * library, as a client's own receiver would, and counts them.
 */
export class SampleReceiver {
  readonly #verifiers = new Map<string, Webhook>();
  readonly #received = new Map<string, ReceivedOf>();

  /**
   * Creates destinations that send these clients' events here. A destination of an earlier run is changed to this URL,
   * with all events that wait for it.
   * @param url where it listens, such as `http://127.0.0.1:4000`; each client has a path of its own below `/hooks/`
   * @throws Unavailable, DestinationRefused for an unknown client
   */
  async subscribe(destinations: Destinations, clients: readonly string[], url: string): Promise<void> {
    for (const client of clients) {
      const path = `/hooks/${client}`;
      const own = { ...defaultSettings, url: new URL(path, url).href };
      const known = (await destinations.list(client)).find((one) => new URL(one.url).pathname === path);
      const destination =
        (known && (await destinations.update(known.id, undefined, own))) ??
        (await destinations.create(client, own));
      const [secret] = destination.secrets;
      if (secret !== undefined) this.#verifiers.set(client, new Webhook(secret));
    }
  }

  get received(): Readonly<Record<string, ReceivedOf>> {
    return Object.fromEntries([...this.#verifiers.keys()].map((client) => [client, this.#of(client)]));
  }

  /** Takes a call. @returns whether it is valid; otherwise answer it with 401 */
  take(client: string, body: string, headers: Readonly<Record<string, string>>): boolean {
    const before = this.#of(client);
    const message = this.#verify(client, body, headers);
    if (message === undefined) {
      this.#received.set(client, { ...before, refused: before.refused + 1 });
      return false;
    }
    const events = before.events + eventsOf(message);
    this.#received.set(client, { ...before, verified: before.verified + 1, events, last: message });
    return true;
  }

  #of(client: string): ReceivedOf {
    return this.#received.get(client) ?? nothing;
  }

  /** @returns the body, or undefined if the signature is invalid */
  #verify(client: string, body: string, headers: Readonly<Record<string, string>>): unknown {
    try {
      return this.#verifiers.get(client)?.verify(body, headers);
    } catch (err) {
      if (err instanceof WebhookVerificationError) return undefined;
      throw err;
    }
  }
}

function eventsOf(message: unknown): number {
  return isObject(message) && Array.isArray(message.data) ? message.data.length : 1;
}
