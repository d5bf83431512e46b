import { setTimeout as sleep } from "node:timers/promises";
import { eventOf, type Item, type SenderName, script } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { Sender } from "./sender.ts";

const mostUnsettled = 1_500;
const mostRequests = 6;
const retryMs = 200;
const answerWithinMs = 30_000;

/** An array of events in one body, or one event per line. */
export type BodyForm = "json" | "ndjson";

interface Answer {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number }[];
}

/** A producer over HTTP: posts each batch until the gateway answers that all of it is stored. */
export class HttpSender implements Sender {
  readonly name: SenderName;
  readonly #seed: number;
  readonly #ledger: Ledger;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #form: BodyForm;
  readonly #items: Generator<Item, never>;
  readonly #closing = new AbortController();
  #waiting: Item[] = [];
  #requests = 0;
  #unsettled = 0;

  constructor(
    name: SenderName,
    seed: number,
    ledger: Ledger,
    gateway: { readonly url: string; readonly key: string; readonly form: BodyForm },
  ) {
    this.name = name;
    this.#seed = seed;
    this.#ledger = ledger;
    this.#url = `${gateway.url}/events`;
    this.#form = gateway.form;
    this.#headers = {
      authorization: `Bearer ${gateway.key}`,
      "content-type": gateway.form === "json" ? "application/json" : "application/x-ndjson",
    };
    this.#items = script(seed, name);
  }

  get unsettled(): number {
    return this.#unsettled;
  }

  offer(count: number): number {
    const taken = Math.max(0, Math.min(count, mostUnsettled - this.#unsettled));
    for (let i = 0; i < taken; i++) {
      const item = this.#items.next().value;
      if (item.kind === "event") this.#ledger.begin(this.name, item.n);
      this.#waiting.push(item);
    }
    this.#unsettled += taken;
    this.#post();
    return taken;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Puts all waiting items into the next body, so bodies grow while all requests are in flight. */
  #post(): void {
    if (this.#requests === mostRequests || this.#waiting.length === 0) return;
    this.#requests++;
    const items = this.#waiting.splice(0, 500);
    void this.#untilStored(items)
      .catch((error) => this.#ledger.complaints.push(`${this.name.source}: ${String(error)}`))
      .finally(() => {
        this.#requests--;
        this.#unsettled -= items.length;
        this.#post();
      });
  }

  async #untilStored(items: readonly Item[]): Promise<void> {
    const events = items.map(({ kind, n }) => {
      const event = eventOf(this.#seed, this.name, n);
      return JSON.stringify(kind === "invalid" ? { ...event, created_at: "yesterday" } : event);
    });
    const body = this.#form === "json" ? `[${events.join(",")}]` : events.join("\n");
    for (;;) {
      const answer = await this.#ask(body);
      if (this.#closing.signal.aborted) return;
      if (answer !== undefined) {
        this.#note(items, answer);
        return;
      }
      this.#ledger.traffic.refused++;
      await sleep(retryMs);
    }
  }

  /** The gateway's answer if the valid events are stored; undefined if they must be sent again. */
  async #ask(body: string): Promise<Answer | undefined> {
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(answerWithinMs)]);
      const response = await fetch(this.#url, { method: "POST", headers: this.#headers, body, signal });
      const text = await response.text();
      // 400: none of the events is valid, and its body says which.
      if ([202, 207, 400].includes(response.status))
        return {
          accepted: 0,
          ...(JSON.parse(text) as Partial<Answer>),
          rejected: rejectedOf(text),
        };
      if (response.status < 500 && response.status !== 429)
        throw new Unexpected(`the gateway answered ${response.status} ${text.slice(0, 300)}`);
      return undefined;
    } catch (error) {
      if (error instanceof Unexpected) throw error;
      return undefined;
    }
  }

  #note(items: readonly Item[], { accepted, rejected }: Answer): void {
    const invalid = items.flatMap(({ kind }, index) => (kind === "invalid" ? [index] : []));
    const told = rejected.map(({ index }) => index);
    if (accepted !== items.length - invalid.length || told.join() !== invalid.join()) {
      this.#ledger.complaints.push(
        `${this.name.source}: of ${items.length} events the ones at ${invalid.join() || "no place"} are invalid; ` +
          `the gateway accepted ${accepted}, rejected those at ${told.join() || "no place"}`,
      );
      return;
    }
    for (const { kind, n } of items) {
      if (kind === "event") this.#ledger.accept(this.name, n);
      else if (kind === "again") this.#ledger.traffic.again++;
      else this.#ledger.traffic.invalid++;
    }
  }
}

/** An answer that a retry does not change. */
class Unexpected extends Error {
  override readonly name = "Unexpected";
}

function rejectedOf(text: string): Answer["rejected"] {
  const { rejected } = JSON.parse(text) as Partial<Answer>; // our own answer; a problem document may carry none
  if (rejected === undefined) throw new Unexpected(`the gateway answered ${text.slice(0, 300)}`);
  return rejected;
}
