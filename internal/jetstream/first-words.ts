import { once } from "node:events";
import { connect } from "node:net";

/** How long a server that accepts the connection may take to speak, in ms. */
const speakWithinMs = 2_000;

/** Something answers that is no NATS server. */
export class ForeignServer extends Error {
  override readonly name = "ForeignServer";
}

/**
 * Makes sure that at least one of these is a NATS server, which speaks first. The library waits for ever for another kind
 * of server, such as a Redis, that waits for its client to speak.
 * @param servers `host:port` each
 * @throws Error that says what the first of them is instead; `signal`'s reason when aborted
 */
export async function hearNats(servers: readonly string[], signal: AbortSignal): Promise<void> {
  const heard = servers.map((server) => hearOne(server, signal));
  // All of them settle: the first tells most.
  await Promise.any(heard).catch(() => heard[0]);
}

async function hearOne(server: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(`nats://${server}`);
  const patience = AbortSignal.timeout(speakWithinMs);
  const socket = connect(Number(port || 4222), hostname.replace(/^\[(.*)\]$/, "$1"));
  try {
    const heard: readonly unknown[] = await once(socket, "data", {
      signal: AbortSignal.any([signal, patience]),
    });
    if (!String(heard[0]).startsWith("INFO "))
      throw new ForeignServer("another kind of server answers there");
  } catch (err) {
    signal.throwIfAborted();
    if (patience.aborted && socket.connecting) throw new Error("nothing answers there", { cause: err });
    if (patience.aborted) throw new ForeignServer("what answers there does not speak NATS", { cause: err });
    // Where a name has several addresses the error has no message, only a code.
    const { message = "", code = "" } = err as { message?: string; code?: string }; // from a socket
    throw message === "" ? new Error(`connect ${code} ${server}`, { cause: err }) : err;
  } finally {
    socket.destroy();
  }
}
