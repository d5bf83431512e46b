import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until a service's /readyz answers 200, then resolves to undefined. After `timeout` ms it resolves to what the
 * service lacks. Rejects only when `signal` aborts.
 */
export async function readiness(
  origin: string,
  timeout: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const lacking = await ask(origin, signal);
    if (lacking === undefined || performance.now() > deadline) return lacking;
    await sleep(100, undefined, { signal });
  }
}

async function ask(origin: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(`${origin}/readyz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(3_000)]),
    });
    const body = await response.text();
    return response.status === 200 ? undefined : `/readyz answers ${response.status} ${body}`;
  } catch {
    signal.throwIfAborted();
    return "it does not listen yet";
  }
}
