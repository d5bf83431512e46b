import { CommandError } from "../../internal/service/command-error.ts";
import { runCommand } from "../../internal/service/run-command.ts";

/** Shorter than the interval between two checks; a service's own checks give up after 2 s. */
const patienceMs = 4_000;

function address(text: string): string {
  if (!URL.canParse(text)) throw new Error("be a URL, such as http://127.0.0.1:3000/readyz");
  return text;
}

await runCommand<string, never>({
  name: "healthcheck",
  build: (reading) => {
    const program = reading
      .program(
        "healthcheck",
        "Asks one URL of a service and exits with 0 when the answer is good, with 1 when it is not; for the health checks of containers, whose image has no curl. Prints what was answered.",
      )
      .addArgument(reading.argument("<url>", "such as http://127.0.0.1:3000/readyz", address));
    program.action((url) => reading.ask(url));
    return program;
  },
  variables: [],
  async run(url, { say }) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(patienceMs) }).catch((err: unknown) => {
      // fetch() only says "fetch failed"; the reason is its cause.
      const { cause = err } = err as { cause?: unknown }; // anything fetch() throws is an object
      throw new CommandError(`${url} does not answer: ${cause instanceof Error ? cause.message : cause}.`);
    });
    say(`${answer.status} ${await answer.text()}\n`);
    if (!answer.ok) process.exitCode = 1;
  },
});
