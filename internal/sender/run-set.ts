import { reasonOf } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import { DestinationRun, type SenderContext } from "./destination-run.ts";

interface RunSetOptions extends SenderContext {
  /** Called when a receiver answered 410: it wants no more calls. */
  readonly onGone: (destination: Destination) => void;
  /** Called when a run has ended completely. */
  readonly onEnded: (destination: Destination) => Promise<void>;
}

/** The runs of a process, one per destination. Starts and stops them without one holding up the others. */
export class RunSet {
  readonly #options: RunSetOptions;
  readonly #runs = new Map<string, DestinationRun>();
  readonly #changing = new Map<string, Promise<void>>();
  readonly #problems = new Map<string, string>();
  readonly #stopping = new AbortController();

  constructor(options: RunSetOptions) {
    this.#options = options;
  }

  get all(): readonly DestinationRun[] {
    return [...this.#runs.values()];
  }

  /** Why deliveries wait although no receiver is the cause; otherwise undefined. */
  get problem(): string | undefined {
    for (const problem of this.#problems.values()) return problem;
    for (const run of this.#runs.values()) if (run.problem !== undefined) return run.problem;
    return undefined;
  }

  /**
   * Starts, updates and stops runs so that exactly these destinations run with their current settings.
   * @param others destinations that only another process may call: calls in flight to them are cut off
   */
  adjust(wanted: readonly Destination[], others: readonly Destination[]): void {
    const byId = new Map(wanted.map((destination) => [destination.id, destination]));
    for (const [id, run] of this.#runs)
      if (byId.get(id)?.ordered !== run.destination.ordered) {
        const isOthers = others.some((destination) => destination.id === id);
        this.#change(id, () => this.#end(run, isOthers));
      }
    for (const [id, destination] of byId) {
      const run = this.#runs.get(id);
      if (this.#changing.has(id) || this.#stopping.signal.aborted) continue;
      if (run === undefined) this.#change(id, () => this.#start(destination));
      else run.change(destination);
    }
    for (const id of this.#problems.keys()) if (!byId.has(id)) this.#problems.delete(id);
  }

  /** Stops all runs: each settles its calls in flight, or hands their events back. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the sender is stopping"));
    await Promise.all([...this.all.map((run) => run.stop()), ...this.#changing.values()]);
  }

  /** Applies a destination's changes one after the other; a failure is reported as a problem until it succeeds. */
  #change(id: string, work: () => Promise<void>): void {
    if (this.#changing.has(id)) return;
    const change = work()
      .then(() => void this.#problems.delete(id))
      .catch((err: unknown) => {
        if (this.#stopping.signal.aborted) return;
        if (!this.#problems.has(id))
          this.#options.log.warn(
            { err, destination: id },
            "a destination cannot be started or stopped now; it is tried again",
          );
        this.#problems.set(id, reasonOf(err));
      })
      .finally(() => this.#changing.delete(id));
    this.#changing.set(id, change);
  }

  async #start(destination: Destination): Promise<void> {
    const { id, client } = destination;
    const log = this.#options.log.child({ destination: id, client });
    const onGone = () => this.#options.onGone(destination);
    const { signal } = this.#stopping;
    const run = await DestinationRun.start({ ...this.#options, log, destination, onGone }, signal);
    // `stop` has already stopped the runs.
    if (this.#stopping.signal.aborted) return run.stop();
    this.#runs.set(id, run);
    log.info("delivering");
  }

  async #end(run: DestinationRun, atOnce: boolean): Promise<void> {
    const { destination } = run;
    this.#runs.delete(destination.id);
    await run.stop(atOnce);
    this.#options.log.info({ destination: destination.id }, "deliveries to a destination ended");
    await this.#options.onEnded(destination);
  }
}
