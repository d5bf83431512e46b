import type { Log } from "./log.ts";
import { lookEvery } from "./look-every.ts";

/** Settings of a server that differ from what the services need. They do no harm until the day they matter. */
export interface ConfigDrift {
  /** One sentence each, with the next move. */
  readonly found: readonly string[];
  /** What this connection may not read. */
  readonly unseen: readonly string[];
}

/** Looks at one server. Throws when it is away. */
type Look = () => Promise<ConfigDrift>;

const lookAgainMs = 10 * 60_000;

/** Looks for config drift now and every ten minutes, and logs each finding once while it lasts. */
export class ConfigDriftWatch {
  readonly #looks: readonly { readonly look: Look; seen: ConfigDrift }[];
  readonly #log: Log;
  readonly close: () => void;

  constructor(looks: readonly Look[], log: Log) {
    this.#looks = looks.map((look) => ({ look, seen: { found: [], unseen: [] } }));
    this.#log = log;
    this.close = lookEvery(lookAgainMs, "config drift", () => this.look(), log);
  }

  /** What was found at the last look. */
  get warnings(): readonly string[] {
    return this.#looks.flatMap(({ seen }) => seen.found);
  }

  /** Never rejects: a server that is away shows nothing. */
  async look(): Promise<void> {
    for (const each of this.#looks) {
      try {
        const { found, unseen } = await each.look();
        for (const warning of found) if (!each.seen.found.includes(warning)) this.#log.warn(warning);
        for (const what of unseen)
          if (!each.seen.unseen.includes(what)) this.#log.info(`cannot look for config drift: ${what}`);
        each.seen = { found, unseen };
      } catch (err) {
        this.#log.debug({ err }, "cannot look for config drift now");
      }
    }
  }
}
