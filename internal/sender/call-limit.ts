/** Bounds the calls in flight in this process. Waiting callers are woken in order. */
export class CallLimit {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #underWay = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Whether a call may begin now; if so, call `leave` when it ends.
   * @param wake is called once a place is free; it has to call `enter` again
   */
  enter(wake: () => void): boolean {
    if (this.#underWay >= this.#most) {
      this.#waiting.add(wake);
      return false;
    }
    this.#underWay++;
    return true;
  }

  leave(): void {
    this.#underWay--;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    // Deferred, because the caller of `leave` has not finished its own work.
    queueMicrotask(next);
  }

  /** Removes a waiting caller. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
