import { setTimeout as sleep } from "node:timers/promises";

type Truthy<T> = Exclude<T, null | undefined | false | 0 | "">;

/**
 * Polls until `condition` gives something truthy and returns that. A throw counts as "not yet". Throws after `timeout`
 * milliseconds with what the last poll gave or threw. The default of 90,000 is a bound for what has failed, far above what
 * a busy machine needs: give another only where failing soon is what is tested.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: { readonly timeout?: number; readonly interval?: number; readonly what?: string } = {},
): Promise<Truthy<T>> {
  const { timeout = 90_000, interval = 20, what = "the condition" } = options;
  const deadline = performance.now() + timeout;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>; // `if` does not narrow a type parameter
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeout} ms for ${what}; at last: ${String(last)}`, { cause: last });
    }
    await sleep(interval);
  }
}
