import { parseArgs } from "node:util";
import { measuredByGoals } from "./goals.ts";

/** What to measure, and how much. */
export interface Options {
  readonly help: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly only: readonly string[];
  readonly rounds: number;
  /** Events of one pass through the pipeline. */
  readonly events: number;
  /**
   * Events before a clock starts: new processes compile their code first, and production processes run for days.
   */
  readonly warmUp: number;
  /** How long a steady load lasts, in seconds. */
  readonly seconds: number;
  /** Total events, ascending, at each of which the growing system is measured. */
  readonly growthEvents: readonly number[];
  readonly growthPlayers: readonly number[];
  /** Where the plot of the growth goes. */
  readonly plot: string | undefined;
  readonly redis: string | undefined;
  readonly rabbitmq: string | undefined;
}

export const usage = `npm run bench -- [flags]
Measures publishing, the whole pipeline and its latency on servers of its own. Progress goes to stderr, the tables to stdout.

  --list            what can be measured
  --only A,B        only these
  --goals           only those that the goals are about, which are compared with their figures at the end
  --quick           a hundredth of the work, to see that everything works; its figures mean nothing
  --events N        events of one pass through the pipeline; default 200000
  --rounds N        how often each is measured; the best is shown; default 3
  --json            the figures as JSON
  --markdown        the tables as Markdown
  --plot FILE       where the plot of "growth" goes, as SVG
  --redis URL       a Redis to compare with BullMQ on it, in a database of its own such as redis://127.0.0.1:6379/15
  --rabbitmq URL    a RabbitMQ to compare with, such as amqp://guest:guest@127.0.0.1:5672
`;

/** @throws Error with one sentence for the user */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      goals: { type: "boolean", default: false },
      events: { type: "string" },
      rounds: { type: "string" },
      plot: { type: "string" },
      redis: { type: "string" },
      rabbitmq: { type: "string" },
    },
  });
  const { help, list, json, markdown, quick, goals, only, plot, redis, rabbitmq } = values;
  const million = 1_000_000;
  return {
    ...{ help, list, json, markdown, plot, redis, rabbitmq },
    only: [...(only === "" ? [] : only.split(",")), ...(goals ? measuredByGoals : [])],
    rounds: integer("rounds", values.rounds ?? (quick ? "1" : "3")),
    events: integer("events", values.events ?? (quick ? "2000" : "200000")),
    warmUp: quick ? 200 : 20_000,
    seconds: quick ? 1 : 10,
    growthEvents: quick ? [1_000, 3_000, 10_000] : [10_000, 30_000, 100_000, 300_000, million, 3 * million],
    growthPlayers: quick ? [10, 1_000] : [10, 100, 1_000, 10_000, 100_000, million],
  };
}

function integer(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Error(`--${name} must be an integer from 1 to 999999999, not "${text}"`);
  return Number(text);
}
