import { createServer } from "node:net";

const lowest = 20_000;
const highest = 32_000;

/** Whether a server could listen on this port of 127.0.0.1 now; another process may take it a moment later. */
export async function isFree(port: number): Promise<boolean> {
  return (await whyNotFree(port)) === undefined;
}

/** The system's error code if no server can listen on this port of 127.0.0.1 now; undefined if one could. */
export function whyNotFree(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}

/** @param why as `whyNotFree` has it */
export function portRefused(port: number, why: string): string {
  if (why === "EACCES")
    return `port ${port} may not be used by this user: choose one from 1024 on with --port`;
  return `port ${port} is taken: stop what listens there, or choose another with --port`;
}

/**
 * Finds a free port of 127.0.0.1: `preferred` if that is free. It is not reserved, so a server that starts on it may
 * still find it taken. Throws after a hundred tries.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < 100; attempt++) {
    // Below the kernel's range for outgoing connections. Within it, a client that keeps reconnecting to a server that
    // is down can connect to itself and then hold the port when the server comes back.
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`);
}
