import { parseCommandLine, UsageError } from "../command-line.ts";
import { duration } from "../config-values.ts";

/** What a command line asks for. */
export interface ProveCommand {
  readonly help: boolean;
  readonly json: boolean;
  readonly waitMs: number | undefined;
  readonly sinceMs: number | undefined;
  readonly names: number;
}

export const usage = `prove: shows that every accepted event is accounted for, each once, or which are not. It changes nothing.

  prove [--wait <time>] [--since <time>] [--names <n>] [--json]

  --wait 30s     wait until all events are settled, so that everything can be checked; when they are not by then, that is a
                 violation (default: take the pipeline as it is; what cannot be checked while events flow says so)
  --since 1h     look only at what was accepted within this time (default: at all that the streams retain)
  --names 10     how many of a kind are named
  --json         the result as one JSON object

Exit code 0: all that could be checked holds; 1: something is missing, or there twice; 69: NATS or Postgres is away, so
nothing is proved; 78: the command line or the environment is wrong.

Environment:
  NATS_URL              NATS servers, comma-separated (default nats://127.0.0.1:4222)
  NATS_CREDS            path of a NATS credentials file
  DATABASE_URL          Postgres (default postgres://casino:casino@127.0.0.1:5432/casino)
  ARCHIVE_RETENTION     as the archivers have it (default: for ever)
`;

const defaultNames = 10;
const mostNames = 100_000;

/** Reads a command line. @throws UsageError */
export function readCommand(args: readonly string[]): ProveCommand {
  const { values } = parseCommandLine({
    args: [...args],
    options: {
      wait: { type: "string" },
      since: { type: "string" },
      names: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    waitMs: time("wait", values.wait),
    sinceMs: time("since", values.since),
    names: count(values.names),
  };
}

function time(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return duration(text);
  } catch (cause) {
    const must = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--${flag} must ${must}, not "${text.slice(0, 60)}".`, { cause });
  }
}

function count(text = String(defaultNames)): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) > mostNames)
    throw new UsageError(`--names must be an integer from 0 to ${mostNames}, not "${text.slice(0, 60)}".`);
  return Number(text);
}
