import { Problem, unavailable } from "../service/problem.ts";

/** Memory for all unfinished requests' bodies: those still being read, and those not answered yet. */
export interface BodyBudgetOptions {
  readonly bytes: number;
  readonly bytesOfOwner: number;
  readonly bodies: number;
  readonly bodiesOfOwner: number;
  /** Keys of several clients may share an address, that of a proxy. */
  readonly bodiesOfAddress: number;
}

const MiB = 2 ** 20;
const usual: BodyBudgetOptions = {
  bytes: 64 * MiB,
  bytesOfOwner: 32 * MiB,
  bodies: 4_000,
  bodiesOfOwner: 1_000,
  bodiesOfAddress: 2_000,
};

/** What the bodies of one owner or address take. */
interface Share {
  bodies: number;
  bytes: number;
}

/**
 * Limits the memory that all unfinished bodies take together. An owner gets half of it at most, so that its unfinished
 * bodies keep nobody else from sending.
 */
export class BodyBudget {
  readonly #options: BodyBudgetOptions;
  readonly #all: Share = { bodies: 0, bytes: 0 };
  readonly #owners = new Map<string, Share>();
  readonly #addresses = new Map<string, Share>();

  constructor(options: Partial<BodyBudgetOptions> = {}) {
    this.#options = { ...usual, ...options };
  }

  /**
   * Starts a body; dispose of it when its request is answered.
   * @throws Problem 429 when the owner or its address has too many under way, 503 when there are too many overall
   */
  open(owner: string, address: string): OpenBody {
    const { bodies, bodiesOfOwner, bodiesOfAddress } = this.#options;
    const ofOwner = shareOf(this.#owners, owner);
    const ofAddress = shareOf(this.#addresses, address);
    if (ofOwner.bodies >= bodiesOfOwner)
      throw tooMuch(`One client may have ${bodiesOfOwner} bodies in progress at once: wait for answers.`);
    if (ofAddress.bodies >= bodiesOfAddress)
      throw tooMuch(`One address may have ${bodiesOfAddress} bodies in progress at once: wait for answers.`);
    if (this.#all.bodies >= bodies)
      throw unavailable("Too many bodies are in progress at the moment: try again shortly.");
    const shares = [this.#all, ofOwner, ofAddress];
    for (const share of shares) share.bodies++;
    this.#owners.set(owner, ofOwner);
    this.#addresses.set(address, ofAddress);
    let kept = 0;
    const keep = (bytes: number): void => {
      const more = bytes - kept;
      if (more > 0) this.#check(ofOwner, more);
      kept = bytes;
      for (const share of shares) share.bytes += more;
    };
    let isOpen = true;
    return {
      keep,
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        keep(0);
        for (const share of shares) share.bodies--;
        if (ofOwner.bodies === 0) this.#owners.delete(owner);
        if (ofAddress.bodies === 0) this.#addresses.delete(address);
      },
    };
  }

  #check(ofOwner: Share, more: number): void {
    const { bytes, bytesOfOwner } = this.#options;
    if (ofOwner.bytes + more > bytesOfOwner)
      throw tooMuch(
        `One client's bodies in progress may take ${bytesOfOwner / MiB} MiB: send fewer at once.`,
      );
    if (this.#all.bytes + more > bytes)
      throw unavailable("The bodies in progress take too much memory at the moment: try again shortly.");
  }
}

/** An unfinished body. */
export interface OpenBody extends Disposable {
  /**
   * Sets how many bytes of memory it takes now, in total.
   * @throws Problem 429 when that is too much for the owner, 503 when it is too much overall; then its former size
   * counts
   */
  keep(bytes: number): void;
}

function shareOf(shares: ReadonlyMap<string, Share>, name: string): Share {
  return shares.get(name) ?? { bodies: 0, bytes: 0 };
}

function tooMuch(detail: string): Problem {
  return new Problem(429, detail, { headers: { "retry-after": "1" } });
}
