/**
 * Runs one check and says how it went and how long it took, on one line, with the remark that it resolves to if that is
 * a string. A check fails by throwing.
 */
export async function check(what: string, run: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  const took = () => `${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`;
  try {
    const remark = await run();
    process.stdout.write(`ok   ${took()}  ${what}${typeof remark === "string" ? `: ${remark}` : ""}\n`);
  } catch (err) {
    process.stdout.write(`FAIL ${took()}  ${what}\n`);
    throw err;
  }
}
