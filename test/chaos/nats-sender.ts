import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { PublishError } from "../../internal/jetstream/pub-ack.ts";
import { type Outgoing, Publisher } from "../../internal/jetstream/publisher.ts";
import { OutgoingHeaders } from "../../internal/jetstream/wire-headers.ts";
import { eventOf, type Item, invalidOf, type SenderName, script } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { Sender } from "./sender.ts";

const mostUnsettled = 1_500;
const retryMs = 200;

/** The header that identifies an invalid message by sender and number, also in its dead letter. */
export const invalidHeader = "Chaos-Invalid";

/** A producer on NATS: publishes each message until the broker acknowledges it. */
export class NatsSender implements Sender {
  readonly name: SenderName;
  readonly #seed: number;
  readonly #ledger: Ledger;
  readonly #publisher: Publisher;
  readonly #items: Generator<Item, never>;
  #unsettled = 0;

  constructor(name: SenderName, seed: number, ledger: Ledger, nc: NatsConnection) {
    this.name = name;
    this.#seed = seed;
    this.#ledger = ledger;
    this.#publisher = new Publisher(nc);
    this.#items = script(seed, name);
  }

  get unsettled(): number {
    return this.#unsettled;
  }

  offer(count: number): number {
    const taken = Math.min(count, mostUnsettled - this.#unsettled);
    for (let i = 0; i < taken; i++) {
      const item = this.#items.next().value;
      if (item.kind === "event") this.#ledger.begin(this.name, item.n);
      this.#unsettled++;
      this.#send(item, this.#message(item), 1);
    }
    return Math.max(0, taken);
  }

  close(): void {
    this.#publisher.close();
  }

  #message({ kind, n }: Item): Outgoing {
    const { client, source } = this.name;
    const headers = new OutgoingHeaders().add("Casino-Source", source);
    if (kind === "invalid") {
      const { subject, payload } = invalidOf(this.#seed, this.name, n);
      headers.add(invalidHeader, `${this.name.index}:${n}`);
      return { subject, payload: Buffer.from(payload), headers };
    }
    const payload = Buffer.from(JSON.stringify(eventOf(this.#seed, this.name, n)));
    return { subject: `casino.event.raw.${client}`, payload, headers };
  }

  #send(item: Item, message: Outgoing, attempt: number): void {
    const resent = this.#publisher.stats.resent;
    this.#publisher.send(message, (outcome) => {
      if (outcome instanceof PublishError) {
        this.#ledger.traffic.refused++;
        void sleep(retryMs).then(() => this.#send(item, message, attempt + 1));
        return;
      }
      this.#unsettled--;
      if (item.kind === "event") this.#ledger.accept(this.name, item.n);
      else if (item.kind === "again") this.#ledger.traffic.again++;
      else {
        // The publisher itself repeats messages in flight when a connection is lost.
        const sentOnce = attempt === 1 && this.#publisher.stats.resent === resent;
        this.#ledger.acceptInvalid({ sender: this.name, n: item.n, sentOnce });
      }
    });
  }
}
