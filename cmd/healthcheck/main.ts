const usage = `healthcheck: asks one URL of a service and exits with 0 when the answer is good, with 1 when it is not.

  node cmd/healthcheck/main.ts http://127.0.0.1:3000/readyz

For the health checks of containers, whose image has no curl. Prints what was answered.
`;
/** Shorter than the interval between two checks; a service's own checks give up after 2 s. */
const patienceMs = 4_000;

const [target = "--help", ...more] = process.argv.slice(2);
if (target === "--help") {
  process.stdout.write(usage);
} else if (more.length > 0 || !URL.canParse(target)) {
  process.stderr.write("healthcheck: say one URL; --help shows how.\n");
  process.exitCode = 78;
} else {
  try {
    const answer = await fetch(target, { signal: AbortSignal.timeout(patienceMs) });
    process.stdout.write(`${answer.status} ${await answer.text()}\n`);
    process.exitCode = answer.ok ? 0 : 1;
  } catch (err) {
    // fetch() says only "fetch failed"; why lies one level deeper.
    const { cause = err } = err as { cause?: unknown }; // whatever fetch() throws is an object
    process.stdout.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    process.exitCode = 1;
  }
}
