import { Problem, unavailable } from "../service/problem.ts";

/** What the bodies under way may take together: those that are being read, and those that were read but not answered. */
export interface BodyBudgetOptions {
  readonly bytes: number;
  readonly bytesOfOwner: number;
  readonly bodies: number;
  readonly bodiesOfOwner: number;
  /** Keys of several clients may come from one address, which is a proxy then. */
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

/** What the bodies of one owner, or of one address, take. */
interface Share {
  bodies: number;
  bytes: number;
}

/**
 * Bounds what all bodies under way take of the process' memory. One owner has at most half of it, so that his unfinished
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
   * Begins a body; to be disposed of when its request is answered.
   * @throws Problem 429 when the owner, or his address, has too many under way, 503 when all have
   */
  open(owner: string, address: string): OpenBody {
    const { bodies, bodiesOfOwner, bodiesOfAddress } = this.#options;
    const ofOwner = shareOf(this.#owners, owner);
    const ofAddress = shareOf(this.#addresses, address);
    if (ofOwner.bodies >= bodiesOfOwner)
      throw tooMuch(`Of one client ${bodiesOfOwner} bodies may be under way at once: wait for answers.`);
    if (ofAddress.bodies >= bodiesOfAddress)
      throw tooMuch(`From one address ${bodiesOfAddress} bodies may be under way at once: wait for answers.`);
    if (this.#all.bodies >= bodies)
      throw unavailable("Too many bodies are under way at the moment: try again shortly.");
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
        `The bodies that one client has under way may take ${bytesOfOwner / MiB} MiB: send fewer at once.`,
      );
    if (this.#all.bytes + more > bytes)
      throw unavailable("The bodies under way take too much memory at the moment: try again shortly.");
  }
}

/** A body under way. */
export interface OpenBody extends Disposable {
  /**
   * Says how many bytes of memory it takes now, in all.
   * @throws Problem 429 when that is too much for the owner, 503 when it is for all; then what it took before counts on
   */
  keep(bytes: number): void;
}

function shareOf(shares: ReadonlyMap<string, Share>, name: string): Share {
  return shares.get(name) ?? { bodies: 0, bytes: 0 };
}

function tooMuch(detail: string): Problem {
  return new Problem(429, detail, { headers: { "retry-after": "1" } });
}
