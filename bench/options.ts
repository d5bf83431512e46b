import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Build } from "../internal/service/command-line.ts";
import { integer, names, oneOf } from "../internal/service/config-values.ts";
import { measuredByGoals } from "./goals.ts";

/** What to measure, and how much. */
export interface Options {
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

/** The command `bench`. @param all the names of everything that can be measured */
export function benchCommand(all: readonly string[]): Build<Options> {
  return (reading): CommandUnknownOpts => {
    const count = <F extends string>(form: F, doc: string) =>
      reading.option(form, doc, integer(1, 999_999_999));
    const program = reading.program(
      "bench",
      "Measures publishing, the whole pipeline and its latency on servers of its own. Progress goes to stderr, the tables to stdout.",
    );
    return program
      .option("--list", "what can be measured")
      .addOption(
        reading.option("--only <a,b>", "only these", (text) => names(text).map((name) => oneOf(all)(name))),
      )
      .option(
        "--goals",
        "only those that the goals are about, which are compared with their figures at the end",
      )
      .option("--quick", "a hundredth of the work, to see that everything works; its figures mean nothing")
      .addOption(
        count("--events <n>", "events of one pass through the pipeline (default: 200000; with --quick 2000)"),
      )
      .addOption(
        count("--rounds <n>", "how often each is measured; the best is shown (default: 3; with --quick 1)"),
      )
      .option("--json", "the figures as JSON")
      .option("--markdown", "the tables as Markdown")
      .option("--plot <file>", 'where the plot of "growth" goes, as SVG')
      .option(
        "--redis <url>",
        "a Redis to compare with BullMQ on it, in a database of its own such as redis://127.0.0.1:6379/15",
      )
      .option("--rabbitmq <url>", "a RabbitMQ to compare with, such as amqp://guest:guest@127.0.0.1:5672")
      .action((flags) => {
        const { list = false, json = false, markdown = false, quick = false, goals = false } = flags;
        const { only = [], events, rounds, plot, redis, rabbitmq } = flags;
        const million = 1_000_000;
        reading.ask({
          ...{ list, json, markdown, plot, redis, rabbitmq },
          only: [...only, ...(goals ? measuredByGoals : [])],
          rounds: rounds ?? (quick ? 1 : 3),
          events: events ?? (quick ? 2_000 : 200_000),
          warmUp: quick ? 200 : 20_000,
          seconds: quick ? 1 : 10,
          growthEvents: quick
            ? [1_000, 3_000, 10_000]
            : [10_000, 30_000, 100_000, 300_000, million, 3 * million],
          growthPlayers: quick ? [10, 1_000] : [10, 100, 1_000, 10_000, 100_000, million],
        });
      });
  };
}
