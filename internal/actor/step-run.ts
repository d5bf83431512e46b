import type { Durable } from "../jetstream/durable.ts";
import { apartDurable, apartStream, apartSubject, stageFilter, stageStream } from "../messages/subjects.ts";
import { type LoopOptions, StepLoop } from "./loop.ts";

/** Events that wait for rates count as unsettled: leave room for the others during an outage. */
const maxAckPending = 50_000;

/**
 * The durable consumers that are a step's mailboxes: one for the stage it reads, one for its events that left their
 * message to wait or to be handled alone.
 */
export function mailboxesOf(step: string, takesFrom: string): readonly [stage: Durable, apart: Durable] {
  return [
    {
      stream: stageStream(takesFrom),
      name: step,
      description: `the step ${step}, in any number of enrichers`,
      filter: stageFilter(takesFrom),
      maxAckPending,
    },
    {
      stream: apartStream,
      name: apartDurable(step),
      description: `the step ${step}: events that have to be tried again, or are under suspicion`,
      filter: apartSubject(step, "*"),
      maxAckPending,
    },
  ];
}

/** A step at work in this process: one loop for each of its mailboxes. */
export class StepRun {
  readonly name: string;
  readonly #loops: readonly StepLoop[];

  private constructor(name: string, loops: readonly StepLoop[]) {
    this.name = name;
    this.#loops = loops;
  }

  /** Opens the step's mailboxes and starts the loops. @throws Error when a consumer cannot be created. */
  static async start(options: LoopOptions): Promise<StepRun> {
    const { step, takesFrom } = options;
    const loops: StepLoop[] = [];
    for (const mailbox of mailboxesOf(step.name, takesFrom))
      loops.push(await StepLoop.start(options, mailbox));
    return new StepRun(step.name, loops);
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#loops.map((loop) => loop.problem).find((problem) => problem !== undefined);
  }

  /** Settles what is in flight or hands it back; a stop never causes a dead letter. */
  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }
}
