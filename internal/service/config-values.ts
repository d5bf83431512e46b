import { accessSync, constants, readFileSync } from "node:fs";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { reasonOf } from "./log.ts";

// How a text of the environment or of a command line becomes a value. Each throws an Error whose message completes the
// sentence "NAME must …".

export const text = (value: string): string => value;

export function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`be an integer from ${min} to ${max}`);
    return number;
  };
}

/** An address or a name to listen on; without a port, and an IPv6 address without brackets. */
export function host(value: string): string {
  if (isIP(value) === 0 && !/^[a-z\d](?:[a-z\d._-]{0,252})$/i.test(value))
    throw new Error("be an IP address or a host name, without brackets and port");
  return value;
}

/** A part of 1. */
export function share(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !(number >= 0 && number <= 1)) throw new Error("be a number from 0 to 1");
  return number;
}

const encodingHint =
  "percent-encode in user name and password what is neither letter nor digit: % is %25, # is %23, / is %2F, ? is %3F";

export function url(protocols: readonly string[]): (value: string) => string {
  return (value) => {
    if (!protocols.some((protocol) => value.trim().toLowerCase().startsWith(`${protocol}//`)))
      throw new Error(`be a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`);
    const parsed = URL.parse(value);
    if (parsed === null || !isEncoded(parsed)) throw new Error(`be a URL that can be read (${encodingHint})`);
    return value;
  };
}

/** Whether everything that is decoded later can be, and nothing looks like the rest of a password cut at #, / or ?. */
function isEncoded({ protocol, username, password, pathname, search, hash }: URL): boolean {
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
  } catch {
    return false;
  }
  // The query of a rates API may contain an address.
  const isCutAtQuestion = search.includes("@") && username + password === "" && !protocol.startsWith("http");
  return hash === "" && !pathname.includes("@") && !isCutAtQuestion;
}

/** Redis names its databases by number. */
export function redisUrl(value: string): string {
  const { pathname } = new URL(url(["redis:", "rediss:"])(value));
  if (!/^(?:\/\d{0,5})?$/.test(pathname))
    throw new Error("have the number of a database for its path, such as /2");
  return value;
}

const wholeNumbers = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
/**
 * The modes that the driver knows. It treats `prefer`, `require` and `verify-ca` as `verify-full`, with a warning each
 * time.
 */
const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

/** Otherwise a mistake in the query would only show when the database is first used. */
export function postgresUrl(value: string): string {
  const { searchParams } = new URL(url(["postgres:", "postgresql:"])(value));
  const max = searchParams.get("max");
  if (max !== null && !/^[1-9]\d{0,3}$/.test(max)) throw new Error("have an integer from 1 to 9999 for max");
  for (const name of wholeNumbers)
    if (!/^\d{1,9}$/.test(searchParams.get(name) ?? "0")) throw new Error(`have milliseconds for ${name}`);
  if (!sslModes.includes(searchParams.get("sslmode") ?? "disable"))
    throw new Error(`have one of ${sslModes.join(", ")} for sslmode`);
  for (const name of ["sslrootcert", "sslcert", "sslkey"])
    try {
      readableFile(searchParams.get(name) ?? "/");
    } catch {
      throw new Error(`have the path of a file that can be read for ${name}`);
    }
  return value;
}

/** Servers may be written without a scheme: `127.0.0.1:4222,10.0.0.2:4222`. */
export function natsUrls(value: string): string {
  for (const server of value.split(",")) {
    const parsed = URL.parse(server.includes("://") ? server.trim() : `nats://${server.trim()}`);
    if (!parsed?.hostname || !["nats:", "tls:"].includes(parsed.protocol) || !isEncoded(parsed))
      throw new Error(`be comma-separated URLs that start with nats:// or tls:// (${encodingHint})`);
  }
  return value;
}

function readableFile(path: string): string {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    throw new Error("be the path of a file that can be read");
  }
}

/** The path of a file with a user's JWT and seed, as `nsc generate creds` writes it. */
export function credentialsFile(path: string): string {
  const text = readFileSync(readableFile(path), "utf8");
  if (!/BEGIN NATS USER JWT[\s\S]*BEGIN USER NKEY SEED/.test(text))
    throw new Error("be the path of a credentials file, with a user's JWT and its seed");
  return path;
}

const secondsPer = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** In ms; the server counts nanoseconds in 64 bits and refuses what does not fit. */
const longestDuration = 36_500 * secondsPer.d * 1000;

/** `90s`, `15m`, `24h`, `30d` (a space before the unit is allowed) to milliseconds. */
export function duration(value: string): number {
  const match = /^(\d+) ?([smhd])$/.exec(value);
  const unit = (match?.[2] ?? "s") as keyof typeof secondsPer; // the pattern admits only these four
  const ms = Number(match?.[1]) * secondsPer[unit] * 1000;
  if (!(ms > 0 && ms <= longestDuration))
    throw new Error("be a duration such as 90s, 15m, 24h or 30d, at most 36500d");
  return ms;
}

/** Comma-separated durations, also in milliseconds (`250ms`), to milliseconds. */
export function durations(value: string): readonly number[] {
  return value.split(",").map((one) => {
    const ms = Number(/^([1-9]\d{0,8}) ?ms$/.exec(one.trim())?.[1]);
    return Number.isNaN(ms) ? duration(one.trim()) : ms;
  });
}

/** A duration, or `off`, which is Infinity. */
export function durationOrOff(value: string): number {
  if (value === "off") return Number.POSITIVE_INFINITY;
  try {
    return duration(value);
  } catch (err) {
    throw new Error(`${reasonOf(err)}, or off`, { cause: err });
  }
}

const bytesPer = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** `512MiB`, `4GiB` (a space before the unit is allowed), or plain bytes. */
export function bytes(value: string): number {
  const match = /^(\d+) ?(B|KiB|MiB|GiB|TiB)?$/.exec(value);
  const unit = (match?.[2] ?? "B") as keyof typeof bytesPer; // the pattern admits only these five
  const size = Number(match?.[1]) * bytesPer[unit];
  if (!Number.isSafeInteger(size) || size < 2 ** 20)
    throw new Error("be a size of at least 1MiB, such as 512MiB or 4GiB");
  return size;
}

export function oneOf<const T extends readonly string[]>(choices: T): (value: string) => T[number] {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new Error(`be one of ${choices.join(", ")}`);
    return found;
  };
}

/** A network in CIDR notation, parsed. */
export type Network = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number];

/** Comma-separated networks such as `10.0.0.0/8`. */
export function networks(value: string): readonly Network[] {
  return value.split(",").map((one) => {
    const network = one.trim();
    if (ipaddr.isValidCIDR(network)) return ipaddr.parseCIDR(network);
    throw new Error("be comma-separated networks such as 10.0.0.0/8,fd00::/8");
  });
}

/** Comma-separated keys of 32 bytes each, in base64 or base64url. */
export function keys(value: string): readonly Uint8Array[] {
  const found = value.split(",").map((one) => Buffer.from(one.trim(), "base64"));
  if (found.some(({ length }) => length !== 32))
    throw new Error(
      "be 32 random bytes in base64, such as `openssl rand -base64 32` prints; several comma-separated",
    );
  return found;
}

/** `gateway=secret,enricher=other`; the caller checks the names. */
export function passwords(value: string): Readonly<Record<string, string>> {
  const pairs = value.split(",").map((pair) => /^\s*([a-z]+)=([!-~]+)\s*$/.exec(pair));
  const found = pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""] as const);
  if (pairs.includes(null) || new Set(found.map(([name]) => name)).size !== found.length)
    throw new Error(
      "be comma-separated pairs such as gateway=secret, each name once, in passwords no space and no comma",
    );
  return Object.fromEntries(found);
}

/** Checks only the form; the pipeline knows which steps exist. */
export function names(value: string): readonly string[] {
  const list = value.split(",").map((name) => name.trim());
  if (list.includes("") || new Set(list).size !== list.length)
    throw new Error("be a comma-separated list of different names");
  return list;
}
