import { setTimeout as sleep } from "node:timers/promises";

/** How long nothing may happen before a measurement gives up, in ms. */
const patienceMs = 120_000;

/**
 * Polls until it is so. Not often: what it asks shares the cores with what is measured.
 * @throws Error after two minutes, and what the signal aborts with
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

/** Polls for as long as the number grows, and until it is `goal`. @throws Error when it stands still for two minutes */
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
