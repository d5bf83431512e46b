import { type ConnectionOptions, errors, type NatsConnection } from "nats";
import type { ConfigDrift } from "../service/config-drift.ts";

/** The account of a server without accounts: everybody shares it. */
const globalAccount = "$G";

const warning =
  "producers have to be trusted: they share an account with the streams and the services, so that a producer can have the broker's answers delivered to JetStream's own API and to other clients' events: give each client's producers an account of their own, as nats.conf does";

/**
 * Warns where no accounts keep producers apart from the streams. nats-server 2.10 and newer report the account. An
 * older one does not: there, only a server without credentials counts as one without accounts.
 * @throws when the broker is away
 */
export async function findSharedAccount(nc: NatsConnection, timeoutMs = 2_000): Promise<ConfigDrift> {
  try {
    const account = await ownAccount(nc, timeoutMs);
    const isShared = account === undefined ? isOpen(nc) : account === globalAccount;
    return { found: isShared ? [warning] : [], unseen: [] };
  } catch (err) {
    if (!(err instanceof Error && err.cause instanceof errors.PermissionViolationError)) throw err;
    return { found: [], unseen: [`the account: ${err.message}`] };
  }
}

/** @returns undefined where the server does not report it */
async function ownAccount(nc: NatsConnection, timeout: number): Promise<string | undefined> {
  try {
    const answer: unknown = (await nc.request("$SYS.REQ.USER.INFO", "", { timeout })).json();
    const { data } = answer as { data?: { account?: unknown } }; // checked below
    return typeof data?.account === "string" ? data.account : undefined;
  } catch (err) {
    if (err instanceof errors.RequestError && err.isNoResponders()) return undefined;
    throw err;
  }
}

/** Every connection has options, though the library's type hides them. */
function isOpen(nc: NatsConnection): boolean {
  const { user, token } = (nc as { options?: ConnectionOptions }).options ?? {};
  return nc.info?.auth_required !== true && !user && !token;
}
