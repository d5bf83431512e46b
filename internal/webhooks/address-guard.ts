import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** A network in CIDR notation, parsed. */
export type Network = readonly [network: Address, bits: number];

/** An address that no call may go to. The message is one sentence, fit for the destination's client. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

/** @throws Error whose message completes the sentence "NAME must …" */
export function parseNetworks(text: string): readonly Network[] {
  return text.split(",").map((one) => {
    const network = one.trim();
    if (ipaddr.isValidCIDR(network)) return ipaddr.parseCIDR(network);
    throw new Error("be comma-separated networks such as 10.0.0.0/8,fd00::/8");
  });
}

const globalUnicast: Network = ipaddr.parseCIDR("2000::/3");
/** Public by its number, but answered by the host of an Azure machine. */
const azureHost = "168.63.129.16";

const onlyEncrypted = "Only https is called, outside of networks that DELIVERY_ALLOW_PRIVATE names.";

/** The host of a URL as an address or a name: an IPv6 address stands in brackets there. */
export const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1");

/**
 * Decides which addresses a call may go to. Whoever sets up a destination chooses a name, and whoever answers for the name
 * chooses the address, each time anew: so it is the address that is looked at, when a connection is about to be made.
 */
export class AddressGuard {
  readonly #allowed: readonly Network[];
  readonly #lookup: LookupFunction;

  /** @param allowed networks that would be refused otherwise, and to which plain http may go */
  constructor(allowed: readonly Network[] = [], lookup: LookupFunction = systemLookup as LookupFunction) {
    this.#allowed = allowed;
    this.#lookup = lookup;
  }

  /**
   * @param host a name or an address, without brackets
   * @throws AddressRefused for an address that is refused; a name may pass
   */
  checkLiteral(host: string, isEncrypted: boolean): void {
    if (isIP(host) === 0) return;
    const because = this.#refusal(host, isEncrypted);
    if (because !== undefined) throw new AddressRefused(because);
  }

  /** Whether a URL may be called, as far as that shows without looking up its name. @throws AddressRefused */
  checkUrl({ hostname, protocol }: URL): void {
    const isEncrypted = protocol === "https:";
    if (!isEncrypted && this.#allowed.length === 0) throw new AddressRefused(onlyEncrypted);
    this.checkLiteral(withoutBrackets(hostname), isEncrypted);
  }

  /** As Node's own `lookup`, with those addresses alone that a call may go to; an error when none is left. */
  lookup(isEncrypted: boolean): LookupFunction {
    return (hostname, options, done) => {
      this.#lookup(hostname, { ...options, all: true }, (err, found) => {
        if (err !== null) return done(err, []);
        const addresses = Array.isArray(found) ? found : [];
        const refusals = addresses.map(({ address }) => this.#refusal(address, isEncrypted));
        const allowed = addresses.filter((_, i) => refusals[i] === undefined);
        const [first] = allowed;
        if (first === undefined) {
          const because = refusals[0] ?? `${hostname} has no address.`;
          return done(new AddressRefused(because), []);
        }
        return options.all ? done(null, allowed) : done(null, first.address, first.family);
      });
    };
  }

  /** For a call by a proxy, which finds the address by itself: a name that is only known to lead astray is refused here. */
  async checkName(host: string, isEncrypted: boolean): Promise<void> {
    this.checkLiteral(host, isEncrypted);
    if (isIP(host) !== 0) return;
    await new Promise<void>((resolve, reject) => {
      this.lookup(isEncrypted)(host, { all: true }, (err) =>
        err instanceof AddressRefused ? reject(err) : resolve(),
      );
    });
  }

  #refusal(text: string, isEncrypted: boolean): string | undefined {
    // Of a v4 address in v6 form it is the former that counts.
    const address = ipaddr.process(text);
    if (this.#allowed.some((network) => contains(network, address))) return undefined;
    const range = rangeOf(address);
    // Without the address, which may be one of names inside that nobody outside should learn.
    if (range !== undefined)
      return `It is at an address that is not of the public internet (${range}): DELIVERY_ALLOW_PRIVATE has to name its network.`;
    return isEncrypted ? undefined : onlyEncrypted;
  }
}

function contains([network, bits]: Network, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

/** What is special about an address; undefined for one of the public internet. */
function rangeOf(address: Address): string | undefined {
  if (address.toString() === azureHost) return "metadata";
  const range = address.range();
  if (range !== "unicast") return range;
  // All else is not given out: 4-in-6 forms that nobody uses any more, for one.
  return address.kind() === "ipv6" && !contains(globalUnicast, address) ? "reserved" : undefined;
}
