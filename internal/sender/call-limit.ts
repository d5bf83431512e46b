import { FairQueue } from "../service/fair-queue.ts";

/**
 * Bounds the calls in flight in this process, in all and of each client, so that a client whose receivers take long leaves
 * places to the others. Clients with waiting callers take turns.
 */
export class CallLimit {
  readonly #most: number;
  readonly #mostOfClient: number;
  readonly #waiting = new FairQueue<() => void>();
  readonly #asked = new Set<() => void>();
  readonly #ofClients = new Map<string, number>();
  #underWay = 0;

  constructor(most: number, mostOfClient: number) {
    this.#most = most;
    this.#mostOfClient = mostOfClient;
  }

  /**
   * Whether a call may begin now; if so, call `leave` when it ends.
   * @param wake is called once a place is free; it has to call `enter` again
   */
  enter(client: string, wake: () => void): boolean {
    if (!this.#hasRoom(client)) {
      if (!this.#asked.has(wake)) this.#waiting.push(client, wake);
      this.#asked.add(wake);
      return false;
    }
    this.#underWay++;
    this.#ofClients.set(client, this.#of(client) + 1);
    return true;
  }

  leave(client: string): void {
    this.#underWay--;
    const left = this.#of(client) - 1;
    if (left > 0) this.#ofClients.set(client, left);
    else this.#ofClients.delete(client);
    this.#wakeNext();
  }

  #wakeNext(): void {
    const next = this.#waiting.shift((waiting) => this.#hasRoom(waiting));
    if (next === undefined) return;
    this.#asked.delete(next);
    // Deferred, because the caller of `leave` has not finished its own work.
    queueMicrotask(() => {
      next();
      // It may not want the place any more, as when its receiver has failed meanwhile.
      this.#wakeNext();
    });
  }

  forget(client: string, wake: () => void): void {
    this.#waiting.remove(client, wake);
    this.#asked.delete(wake);
  }

  #hasRoom(client: string): boolean {
    return this.#underWay < this.#most && this.#of(client) < this.#mostOfClient;
  }

  #of(client: string): number {
    return this.#ofClients.get(client) ?? 0;
  }
}
