/** A count of things, and the names of the first of them. */
export class Names {
  count = 0;
  readonly first: string[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  add(name: string): void {
    if (this.count++ < this.#most) this.first.push(name);
  }
}
