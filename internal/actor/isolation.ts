import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import type { Log } from "../service/log.ts";
import type { Marks, Trouble } from "./marks.ts";
import type { Watch } from "./watchdog.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** A message over which this many workers in a row end, each with nothing else in hand, is poison. */
const mostDeaths = 3;

/** How long suspects are put off, so that messages that come again with them need not wait for yet another death. */
const suspectMs = 250;
const knownKillerMs = 1_000;

/** How to make one call on some of the deliveries: watched, and marked where it may end the worker. */
export interface Guard {
  run<T>(deliveries: readonly Delivery[], call: () => Promise<T>): Promise<T>;
  /**
   * The delivery is a suspect and nothing else in this process is at work. If it carries several events, move each
   * out.
   */
  readonly isAlone: boolean;
}

/** Does a step's work on deliveries, in as many calls as it takes, and settles each. */
export type WorkOn = (deliveries: readonly Delivery[], guard: Guard) => Promise<void>;

export interface IsolationOptions {
  readonly step: string;
  readonly stream: string;
  readonly worker: WorkerProcess;
  readonly marks: Marks;
  readonly mailbox: Mailbox;
  readonly log: Log;
  /** Marks every batch, first deliveries too: for the few messages that something may be wrong with. */
  readonly marksAll: boolean;
  /** Handles a message that has ended several workers in a row. */
  readonly onPoison: (delivery: Delivery, because: string) => void;
  /** A call of the step does not return, and the process is about to end. */
  readonly onStuck: () => void;
}

/**
 * Finds the message that ends its worker, by whatever means, and sets it aside; the rest of its batch goes on.
 *
 * First deliveries are handled directly. A batch with a redelivered message is marked while it is in hand. When a
 * mark of a dead worker is found, each of its messages is handled alone, with nothing else at work in this process: a
 * message over which three workers in a row end is the culprit. Naks and outages raise the delivery count but leave
 * no mark: a step that returned or threw has survived.
 */
export class PoisonIsolation {
  readonly #options: IsolationOptions;
  readonly #watch: Watch;
  /** What is known of the suspects of this process. Each was put off once. */
  readonly #troubles = new WeakMap<Delivery, Trouble>();
  #aloneInHand: Delivery | undefined;
  #isStuck = false;

  constructor(options: IsolationOptions) {
    this.#options = options;
    this.#watch = options.worker.watchdog.watch(options, (deliveries) => this.#onStuck(deliveries));
  }

  async handle(batch: readonly Delivery[], workOn: WorkOn): Promise<void> {
    const { marks, marksAll } = this.#options;
    if (!marksAll && !batch.some((delivery) => delivery.isRedelivered)) return workOn(batch, this.#freely);
    const due = batch.filter((delivery) => this.#troubles.has(delivery));
    const suspects = await marks.suspects();
    const isSuspect = ({ streamSequence }: Delivery) => suspects.has(streamSequence);
    const others = batch.filter((delivery) => !this.#troubles.has(delivery));
    await this.#putOff(others.filter(isSuspect));
    const together = others.filter((delivery) => !isSuspect(delivery));
    if (together.length > 0) await workOn(together, this.#marked);
    await this.#handleAlone(due, workOn);
  }

  /** A call cut short by a stop is no reason to blame its message. */
  async close(): Promise<void> {
    const delivery = this.#aloneInHand;
    if (delivery !== undefined && !this.#isStuck) await this.#options.marks.layDownAlone(delivery);
    this.#watch.close();
  }

  /**
   * The messages that came with them go first. Those that have already ended a worker wait for the other suspects
   * too.
   */
  async #putOff(suspects: readonly Delivery[]): Promise<void> {
    if (suspects.length === 0) return;
    const { marks, mailbox, log } = this.#options;
    log.info({ messages: suspects.length }, "a worker ended with these in hand: each is handled alone");
    await Promise.all(
      suspects.map(async (delivery) => {
        const trouble = await marks.trouble(delivery);
        this.#troubles.set(delivery, trouble);
        mailbox.putBack(delivery, trouble.workers.length > 0 ? knownKillerMs : suspectMs);
      }),
    );
  }

  async #handleAlone(deliveries: readonly Delivery[], workOn: WorkOn): Promise<void> {
    const { marks, log } = this.#options;
    const survived = new Set<number>();
    for (const delivery of deliveries) {
      const trouble = this.#troubles.get(delivery);
      if (trouble === undefined) continue;
      const { stream, streamSequence: seq } = delivery;
      const deaths = trouble.workers.length;
      if (deaths >= mostDeaths) this.#setAside(delivery, trouble);
      else {
        if (deaths > 0) log.warn({ stream, seq, deaths }, "a worker ended with this message alone in hand");
        await workOn([delivery], this.#alone);
        survived.add(seq);
      }
    }
    await marks.clear(survived);
  }

  /** Its marks stay, so that if the letter fails, the message's next receiver knows as much. */
  #setAside(delivery: Delivery, { workers }: Trouble): void {
    const { step, onPoison, log } = this.#options;
    // Not in the letter: clients read theirs, and the names are those of our machines.
    log.warn(
      { stream: delivery.stream, seq: delivery.streamSequence, workers },
      "these workers ended over it",
    );
    const because = `${workers.length} workers in a row ended while the step ${step} had this message alone in hand.`;
    onPoison(delivery, because);
  }

  readonly #freely: Guard = {
    isAlone: false,
    run: (deliveries, call) => this.#options.worker.turns.together(() => this.#watched(deliveries, call)),
  };

  readonly #marked: Guard = {
    isAlone: false,
    run: (deliveries, call) => {
      const { worker, marks } = this.#options;
      return worker.turns.together(async () => {
        await marks.takeTogether(deliveries.map((delivery) => delivery.streamSequence));
        try {
          return await this.#watched(deliveries, call);
        } finally {
          if (!this.#isStuck) await marks.layDownTogether();
        }
      });
    },
  };

  readonly #alone: Guard = {
    isAlone: true,
    run: (deliveries, call) => {
      const { worker, marks } = this.#options;
      return worker.turns.alone(async () => {
        const [delivery] = deliveries;
        if (delivery === undefined) return call();
        await marks.takeAlone(delivery);
        this.#aloneInHand = delivery;
        try {
          return await this.#watched(deliveries, call);
        } finally {
          if (!this.#isStuck) await marks.layDownAlone(delivery);
          this.#aloneInHand = undefined;
        }
      });
    },
  };

  async #watched<T>(deliveries: readonly Delivery[], call: () => Promise<T>): Promise<T> {
    this.#watch.begin(deliveries);
    try {
      return await call();
    } finally {
      this.#watch.end();
    }
  }

  /** The batch comes again to other workers, which need the mark; a single message already has one. */
  async #onStuck(deliveries: readonly Delivery[]): Promise<void> {
    this.#isStuck = true;
    this.#options.onStuck();
    if (this.#aloneInHand === undefined)
      await this.#options.marks.takeTogether(deliveries.map((delivery) => delivery.streamSequence));
  }
}
