import type { NatsConnection } from "nats";
import { createLog, withoutPassword } from "../service/log.ts";
import type { Opening } from "../service/opening.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type NatsVariable, openNats, urlsOf } from "./connect.ts";
import { ForeignServer, hearNats } from "./first-words.ts";

/** How long a command waits for NATS, in ms: a person is waiting too. */
const patienceMs = 5_000;

/**
 * As `openNats`, for commands: gives up after 5 s with a sentence of its own, and logs nothing.
 * @throws Unavailable when NATS is away, Refused when it refuses the credentials, `signal`'s reason when aborted
 */
export async function connectOnce({
  name,
  config,
  signal,
  onClose,
}: Omit<Opening<NatsVariable>, "log">): Promise<NatsConnection> {
  const patience = AbortSignal.timeout(patienceMs);
  const either = AbortSignal.any([signal, patience]);
  try {
    return await openNats({ name, config, log: createLog(name, "silent"), signal: either, onClose });
  } catch (err) {
    if (signal.aborted || !patience.aborted) throw err;
    const where = withoutPassword(config.NATS_URL);
    const hosts = urlsOf(config.NATS_URL).map(({ host }) => host);
    const isForeign = await hearNats(hosts, signal).then(
      () => false,
      (why: unknown) => why instanceof ForeignServer,
    );
    throw new Unavailable(
      isForeign
        ? `NATS is away: what answers at ${where} does not speak NATS. Set NATS_URL.`
        : `NATS is away: no NATS answers at ${where}. Start it, or set NATS_URL.`,
      { cause: err },
    );
  }
}
