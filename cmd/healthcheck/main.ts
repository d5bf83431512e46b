import { CommandError } from "../../internal/service/command-error.ts";
import { reasonOf } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";

/** Shorter than the interval of checks; a service's own checks time out after 2 s. */
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
        "Asks one URL of a service, prints the answer, and exits with 0 if it is successful and 1 if not. For health checks of containers, whose image has no curl.",
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
      throw new CommandError(`${url} does not answer: ${reasonOf(cause)}.`);
    });
    say(`${answer.status} ${await answer.text()}\n`);
    if (!answer.ok) process.exitCode = 1;
  },
});
