import { Problem, unavailable } from "../../service/problem.ts";

/** Who looks at the page at the moment, one for each open connection. */
export interface Viewer {
  /** Undefined: an operator, who sees everything. */
  readonly client: string | undefined;
  /** Takes a whole server-sent event; a slow viewer misses some. */
  readonly send: (event: string) => void;
}

const most = { all: 200, ofOwner: 20 };

/** Current viewers, limited in number so that a second's frames stay cheap. */
export class Viewers {
  readonly #owners = new Map<Viewer, string>();

  get all(): readonly Viewer[] {
    return [...this.#owners.keys()];
  }

  /** @throws Problem 429 when the owner has too many open, 503 when all have */
  add(viewer: Viewer, owner: string): void {
    const own = [...this.#owners.values()].filter((other) => other === owner).length;
    if (own >= most.ofOwner)
      throw new Problem(429, `This key has ${own} dashboards open: close some of them.`, {
        headers: { "retry-after": "5" },
      });
    if (this.#owners.size >= most.all)
      throw unavailable("Too many dashboards are open: try again in a moment.");
    this.#owners.set(viewer, owner);
  }

  remove(viewer: Viewer): void {
    this.#owners.delete(viewer);
  }
}

/** A server-sent event. @param data without line breaks, as JSON is */
export const serverSent = (event: string, data: string): string => `event: ${event}\ndata: ${data}\n\n`;
