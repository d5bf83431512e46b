/** Bounds how many calls are under way in this process. Whoever has to wait is told in its turn. */
export class CallLimit {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #underWay = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Whether a call may begin now: then `leave` has to follow.
   * @param wake called once there is a place again; it asks anew
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
    // Not from within the one that leaves: it is not done with its own.
    queueMicrotask(next);
  }

  /** It waits no longer. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
