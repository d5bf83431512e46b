import { decodeStatus, type Status } from "../telemetry/status.ts";

/** Where every service says how it is. */
export const statusSubjects = "croupier.status.*.*";

/** A service that has said nothing for so long, in ms, is taken for gone: each speaks once a second. */
const silentAfterMs = 3_000;
/** An instance that went for good is shown so long, in ms. */
const rememberedMs = 60_000;
/** More instances than anybody runs: what cannot fit is left out. */
const mostInstances = 1_000;

/** An instance of a service, as it last said it is. */
export interface Instance {
  readonly status: Status;
  /** How long ago it last spoke, in ms, by our clock. */
  readonly silentMs: number;
  /** Nothing was heard of it for `silentAfterMs`. */
  readonly isSilent: boolean;
}

/**
 * The latest status of every instance that was heard of. The times are ours, on a clock that only goes forward: those of
 * other machines may differ.
 */
export class StatusBoard {
  readonly #heard = new Map<
    string,
    { readonly status: Status; readonly at: number; readonly since: number }
  >();
  readonly #now: () => number;

  /** @param now ms on a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes a message on `croupier.status.<service>.<instance>`: a service may speak on its own subjects only, and for itself. */
  hear(subject: string, data: Uint8Array): void {
    const status = decodeStatus(data);
    if (status === undefined) return;
    const name = `${status.service}.${status.instance}`;
    if (subject !== `croupier.status.${name}`) return;
    const known = this.#heard.get(name);
    if (known === undefined && this.#heard.size >= mostInstances) return;
    const at = this.#now();
    this.#heard.set(name, { status, at, since: known?.since ?? at });
  }

  /** By service and instance. One that is silent is forgotten after a minute, or once another has come in its place. */
  instances(): readonly Instance[] {
    const now = this.#now();
    const instances: Instance[] = [];
    for (const [name, { status, at }] of this.#heard) {
      const silentMs = now - at;
      const isSilent = silentMs > silentAfterMs;
      if (isSilent && (silentMs > rememberedMs || this.#isReplaced(status.service, at)))
        this.#heard.delete(name);
      else instances.push({ status, silentMs, isSilent });
    }
    return instances.sort(
      (a, b) => compare(a.status.service, b.status.service) || compare(a.status.instance, b.status.instance),
    );
  }

  #isReplaced(service: string, fellSilentAt: number): boolean {
    return this.#heard
      .values()
      .some(({ status, since }) => status.service === service && since > fellSilentAt);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
