import { decodeStatus, type Status } from "../telemetry/status.ts";

export const statusSubjects = "croupier.status.*.*";

/** A service without a status for this long, in ms, counts as silent; each publishes one per second. */
const silentAfterMs = 3_000;
/** How long a silent instance is still shown, in ms. */
const rememberedMs = 60_000;
/** A limit far above real deployments; more instances are left out. */
const mostInstances = 1_000;

/** An instance of a service with its last status. */
export interface Instance {
  readonly status: Status;
  /** Age of its last status, in ms, by our clock. */
  readonly silentMs: number;
  /** Whether it has sent nothing for `silentAfterMs`. */
  readonly isSilent: boolean;
}

/**
 * The latest status of every known instance. Times are from our own monotonic clock, because clocks of other machines
 * may differ.
 */
export class StatusBoard {
  readonly #heard = new Map<
    string,
    { readonly status: Status; readonly at: number; readonly since: number }
  >();
  readonly #now: () => number;

  /** @param now ms of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes a message on `croupier.status.<service>.<instance>`; a status for another service or instance is ignored. */
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

  /** All instances by service and instance. A silent one is dropped after a minute, or once another has replaced it. */
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
