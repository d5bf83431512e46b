import { setTimeout as sleep } from "node:timers/promises";

/** A measurement without progress for this long gives up, in ms. */
const patienceMs = 120_000;

/**
 * Polls until the condition holds. Not often, because polling shares the cores with the measured system.
 * @throws Error after two minutes; the signal's reason
 */
export async function until(
  condition: () => Promise<boolean>,
  what: string,
  { signal, everyMs = 50 }: { readonly signal: AbortSignal; readonly everyMs?: number },
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited two minutes for ${what}`);
    await sleep(everyMs, undefined, { signal });
  }
}

/** Polls until the number is `goal`. @throws Error if it does not grow for two minutes */
export async function untilCount(
  count: () => Promise<number>,
  goal: number,
  what: string,
  options: { readonly signal: AbortSignal; readonly everyMs?: number },
): Promise<void> {
  let reached = await count();
  while (reached < goal) {
    const before = reached;
    await until(
      async () => {
        reached = await count();
        return reached > before;
      },
      `more of ${goal} ${what} than ${before}`,
      options,
    );
  }
}
