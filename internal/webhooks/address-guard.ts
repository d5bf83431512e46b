import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import type { Network } from "../service/config-values.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address that must not be called. The message is one sentence for the destination's client. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

const globalUnicast: Network = ipaddr.parseCIDR("2000::/3");
/** A public address that the host of an Azure machine answers. */
const azureHost = "168.63.129.16";

const onlyEncrypted = "It must be https, except in networks that DELIVERY_ALLOW_PRIVATE allows.";

/** The host of a URL as an address or a name, without the brackets of an IPv6 address. */
export const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1");

/**
 * Decides which addresses may be called. A client chooses the host name, and whoever controls the name chooses the
 * address, and may change it at any time. So the guard checks the address whenever a connection is opened.
 */
export class AddressGuard {
  readonly #allowed: readonly Network[];
  readonly #lookup: LookupFunction;

  /** @param allowed networks that may be called all the same, also by plain http */
  constructor(allowed: readonly Network[] = [], lookup: LookupFunction = systemLookup as LookupFunction) {
    this.#allowed = allowed;
    this.#lookup = lookup;
  }

  /**
   * @param host a name or an address, without brackets
   * @throws AddressRefused for a forbidden address; a name may pass
   */
  checkLiteral(host: string, isEncrypted: boolean): void {
    if (isIP(host) === 0) return;
    const because = this.#refusal(host, isEncrypted);
    if (because !== undefined) throw new AddressRefused(because);
  }

  /** Checks a URL without resolving its name. @throws AddressRefused */
  checkUrl({ hostname, protocol }: URL): void {
    const isEncrypted = protocol === "https:";
    if (!isEncrypted && this.#allowed.length === 0) throw new AddressRefused(onlyEncrypted);
    this.checkLiteral(withoutBrackets(hostname), isEncrypted);
  }

  /** Like Node's `lookup`, but returns only addresses that may be called; an error if none is left. */
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

  /** For a call through a proxy, which resolves the name itself: refuses only names that are known to be internal. */
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
    // For an IPv6 address that embeds an IPv4 address, the latter counts.
    const address = ipaddr.process(text);
    if (this.#allowed.some((network) => contains(network, address))) return undefined;
    const range = rangeOf(address);
    // The message omits the address, because a client must not learn what internal names resolve to.
    if (range !== undefined)
      return `Its address is not on the public internet (${range}): DELIVERY_ALLOW_PRIVATE has to allow its network.`;
    return isEncrypted ? undefined : onlyEncrypted;
  }
}

function contains([network, bits]: Network, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

/** Why an address is not public; undefined for one on the public internet. */
function rangeOf(address: Address): string | undefined {
  if (address.toString() === azureHost) return "metadata";
  const range = address.range();
  if (range !== "unicast") return range;
  // Everything else is unassigned, such as obsolete forms of IPv4 in IPv6.
  return address.kind() === "ipv6" && !contains(globalUnicast, address) ? "reserved" : undefined;
}
