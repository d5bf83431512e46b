import type { Destination } from "../webhooks/destination.ts";
import { DestinationRun, type SenderContext } from "./destination-run.ts";

export interface RunSetOptions extends SenderContext {
  /** A receiver answered that it never wants to be called again. */
  readonly onGone: (destination: Destination) => void;
  /** A run has ended, and nothing of it is under way any more. */
  readonly onEnded: (destination: Destination) => Promise<void>;
}

/** The runs of a process, one for each destination that it calls. Starts and ends them, none of which holds up the others. */
export class RunSet {
  readonly #options: RunSetOptions;
  readonly #runs = new Map<string, DestinationRun>();
  readonly #changing = new Map<string, Promise<void>>();
  readonly #problems = new Map<string, string>();
  #isStopping = false;

  constructor(options: RunSetOptions) {
    this.#options = options;
  }

  get all(): readonly DestinationRun[] {
    return [...this.#runs.values()];
  }

  /** Why deliveries wait for which no receiver is to blame, else undefined. */
  get problem(): string | undefined {
    for (const problem of this.#problems.values()) return problem;
    for (const run of this.#runs.values()) if (run.problem !== undefined) return run.problem;
    return undefined;
  }

  /** Begins what is needed to have a run for each of these, with its settings of now, and no others. */
  adjust(wanted: readonly Destination[]): void {
    const byId = new Map(wanted.map((destination) => [destination.id, destination]));
    for (const [id, run] of this.#runs)
      if (byId.get(id)?.ordered !== run.destination.ordered) this.#change(id, () => this.#end(run));
    for (const [id, destination] of byId) {
      const run = this.#runs.get(id);
      if (this.#changing.has(id) || this.#isStopping) continue;
      if (run === undefined) this.#change(id, () => this.#start(destination));
      else {
        if (run.destination.failingSince !== null && destination.failingSince === null)
          run.caller.forgetFailures();
        run.change(destination);
      }
    }
    for (const id of this.#problems.keys()) if (!byId.has(id)) this.#problems.delete(id);
  }

  /** Ends all runs: each settles what is under way, or hands it back. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.all.map((run) => run.stop()), ...this.#changing.values()]);
  }

  /** One change of a destination after the other; what fails is a problem until it works. */
  #change(id: string, work: () => Promise<void>): void {
    if (this.#changing.has(id)) return;
    const change = work()
      .then(() => void this.#problems.delete(id))
      .catch((err: unknown) => {
        if (!this.#problems.has(id)) this.#options.log.warn({ err, destination: id }, "not now, and again");
        this.#problems.set(id, err instanceof Error ? err.message : String(err));
      })
      .finally(() => this.#changing.delete(id));
    this.#changing.set(id, change);
  }

  async #start(destination: Destination): Promise<void> {
    const { id, client } = destination;
    const log = this.#options.log.child({ destination: id, client });
    const onGone = () => this.#options.onGone(destination);
    const run = await DestinationRun.start({ ...this.#options, log, destination, onGone });
    // A stop has gone through the runs already.
    if (this.#isStopping) return run.stop();
    this.#runs.set(id, run);
    log.info("delivering");
  }

  async #end(run: DestinationRun): Promise<void> {
    const { destination } = run;
    this.#runs.delete(destination.id);
    await run.stop();
    this.#options.log.info({ destination: destination.id }, "not delivering any more");
    await this.#options.onEnded(destination);
  }
}
