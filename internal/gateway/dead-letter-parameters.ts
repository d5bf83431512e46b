import { readSeq } from "../dead-letters/command.ts";
import { filterForms, type LetterFilter } from "../dead-letters/filter.ts";
import { Problem } from "../problem.ts";
import type { KeyHolder } from "./authentication.ts";

type Given = Readonly<Record<string, unknown>>;

const names = { reason: "reason", step: "step", client: "client_id" } as const;
/** Unknown names that an answer repeats: a body may hold many. */
const mostNamed = 5;

/**
 * The parameters of a request, read one by one; `check` at the end tells everything that is wrong with them. Names that
 * nobody read are wrong too: a filter that is misspelt would otherwise mean every letter, and a dry run the real thing.
 */
export class Parameters {
  readonly #given: Given;
  readonly #problems: string[] = [];
  readonly #known = new Set<string>();

  constructor(given: Given) {
    this.#given = given;
  }

  integer(name: string, max: number): number | undefined {
    return this.#read(name, `be an integer from 1 to ${max}`, (text) => {
      const number = readSeq(text);
      return number !== undefined && number <= max ? number : undefined;
    });
  }

  boolean(name: string): boolean {
    const value = this.#read(name, "be true or false", (text) =>
      text === "true" || text === "false" ? text === "true" : undefined,
    );
    return value ?? false;
  }

  /**
   * The letters that are meant, of those that the holder of the key may see.
   * @throws Problem 403 when they are another client's
   */
  filter({ client: own }: KeyHolder): LetterFilter {
    const read = (key: keyof typeof names) =>
      this.#read(names[key], filterForms[key].must, (text) =>
        filterForms[key].fits(text) ? text : undefined,
      );
    const [reason, step, client] = [read("reason"), read("step"), read("client")];
    if (own !== undefined && client !== undefined && client !== own)
      throw new Problem(403, "This API key belongs to another client: only an operator's key sees them all.");
    return { reason, step, client: own ?? client };
  }

  /** @throws Problem 400 */
  check(): void {
    const unknown = Object.keys(this.#given).filter((name) => !this.#known.has(name));
    if (unknown.length > 0) {
      const named = unknown.slice(0, mostNamed).map((name) => JSON.stringify(name).slice(0, 100));
      const known = [...this.#known].join(", ") || "no parameters";
      this.#problems.push(`This route does not know ${named.join(", ")}: it takes ${known}.`);
    }
    if (this.#problems.length > 0) throw new Problem(400, this.#problems.join(" "));
  }

  #read<T>(name: string, must: string, parse: (text: string) => T | undefined): T | undefined {
    this.#known.add(name);
    const given = this.#given[name];
    if (given === undefined || given === null) return undefined;
    // In a JSON body numbers and booleans come as such.
    const value = typeof given === "object" ? undefined : parse(String(given));
    if (value === undefined)
      this.#problems.push(`${name} must ${must}, not ${JSON.stringify(given).slice(0, 100)}.`);
    return value;
  }
}
