import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { identityOf } from "../local/process-identity.ts";
import { readConfig, setVariables } from "./config.ts";
import { isObject } from "./json.ts";
import type { VariableName } from "./variables.ts";

/** Where the servers of a running `up` are, for commands that people run beside it. */
export interface RunningUp {
  readonly pid: number;
  readonly data: string;
  readonly urls: { readonly [K in UrlName]?: string };
  /** Its database's URL as the owner: a backup needs rights that the operator in `urls` lacks. */
  readonly ownerUrl?: string;
  /** The port of its gateway; undefined where it runs none. */
  readonly gatewayPort?: number;
}

// What commands need beside the URLs.
const urlNames = [
  "NATS_URL",
  "DATABASE_URL",
  "REDIS_URL",
  "RATES_URL",
  "DELIVERY_KEY",
  "DELIVERY_ALLOW_PRIVATE",
] as const;
type UrlName = (typeof urlNames)[number];
/** Setting one of these says where to go. */
const saysWhere: readonly VariableName[] = ["NATS_URL", "NATS_CREDS", "DATABASE_URL", "REDIS_URL"];

const fileOf = (data: string): string => join(data, "running.json");

interface Announced extends Pick<RunningUp, "gatewayPort" | "ownerUrl"> {
  readonly urls: Readonly<Record<string, string>>;
}

/**
 * Writes the addresses for commands, readable only by this user, because URLs contain passwords.
 * @returns removes them
 */
export function announceUp(data: string, { urls, ...more }: Announced): () => void {
  const { pid } = process;
  const known = Object.fromEntries(urlNames.flatMap((name) => (urls[name] ? [[name, urls[name]]] : [])));
  const file = fileOf(data);
  rmSync(file, { force: true });
  const said = { pid, identity: identityOf(pid), urls: known, ...more };
  writeFileSync(file, `${JSON.stringify(said)}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** Where `up` keeps its data unless it is told otherwise. */
export function usualData(): string {
  return readConfig(["CROUPIER_DATA"]).CROUPIER_DATA;
}

/**
 * The running `up` whose data is in this folder, unless the environment names servers. Also undefined when its file
 * cannot be read.
 */
export function runningUp(
  data = resolve(usualData()),
  env: NodeJS.ProcessEnv | undefined = undefined,
): RunningUp | undefined {
  if (setVariables(saysWhere, env).length > 0) return undefined;
  try {
    const said: unknown = JSON.parse(readFileSync(fileOf(data), "utf8"));
    if (!isObject(said) || !isObject(said.urls) || typeof said.pid !== "number") return undefined;
    // Left behind by an `up` that was killed.
    if (identityOf(said.pid) !== said.identity) return undefined;
    const { urls, gatewayPort, ownerUrl } = said;
    const known = urlNames.flatMap((name) => (typeof urls[name] === "string" ? [[name, urls[name]]] : []));
    return {
      pid: said.pid,
      data,
      urls: Object.fromEntries(known),
      ...(typeof gatewayPort === "number" && { gatewayPort }),
      ...(typeof ownerUrl === "string" && { ownerUrl }),
    };
  } catch {
    return undefined;
  }
}

/** One line for stderr. */
export function usesUp({ pid, data }: RunningUp): string {
  return `uses the servers of the up that runs here (process ${pid}, data in ${data})`;
}

/**
 * For a service that was started beside an `up` without saying where its servers are, and so uses others.
 * @returns one line for its log, or undefined when no `up` runs here or the servers are the same
 */
export function missesUp(
  config: { readonly NATS_URL?: string; readonly DATABASE_URL?: string },
  up = runningUp(),
): string | undefined {
  const isElsewhere = (name: "NATS_URL" | "DATABASE_URL"): boolean => {
    const [own, its] = [config[name], up?.urls[name]];
    return own !== undefined && its !== undefined && URL.parse(own)?.host !== URL.parse(its)?.host;
  };
  if (up === undefined || !(isElsewhere("NATS_URL") || isElsewhere("DATABASE_URL"))) return undefined;
  return `an up runs here (process ${up.pid}), and this service uses other servers: to use its servers, export what ${join(up.data, "banner.txt")} shows`;
}
