import { clientName } from "../../internal/casino/names.ts";
import { type ClientRecord, type RecordKind, readId } from "../../internal/records/record.ts";
import type { Build, Reading } from "../../internal/service/command-line.ts";

export type RecordsCommand =
  | { readonly do: "import"; readonly client: string; readonly file: string; readonly dryRun: boolean }
  | { readonly do: "list"; readonly client: string; readonly json: boolean }
  | { readonly do: "show"; readonly client: string; readonly id: number; readonly json: boolean };

/** The client. @param many the plural of the kind */
export function clientArgument(reading: Reading<unknown>, many: string) {
  return reading.argument("<client>", `whose ${many} they are`, clientName);
}

export function idArgument(reading: Reading<unknown>) {
  return reading.argument("<id>", "the client's own number", (text) => {
    const id = readId(text);
    if (id === undefined) throw new Error("be an integer from 1 to 2^53-1");
    return id;
  });
}

/**
 * The command of a kind of records, such as `players`.
 * @typeParam C what the command line may ask for, where the kind has more commands of its own
 */
export function recordsCommand<C = RecordsCommand>(
  kind: RecordKind<ClientRecord>,
): Build<C | RecordsCommand> {
  const { one, many } = kind;
  return (reading) => {
    const program = reading.program(many, `Keeps the ${many} of clients in Postgres.`);
    const client = () => clientArgument(reading, many);
    const json = ["--json", "as JSON, for scripts"] as const;

    program
      .command("import")
      .description(
        `add or replace ${many} from a file: CSV, whose first line names the columns (${["id", ...Object.keys(kind.columns)].join(", ")}) ` +
          "and whose fields are separated by commas or semicolons, or NDJSON; invalid lines are named and skipped",
      )
      .addArgument(client())
      .argument("<file>", "- for stdin")
      .option("--dry-run", "store nothing, only report invalid lines")
      .action((id, file, { dryRun = false }) => reading.ask({ do: "import", client: id, file, dryRun }));
    program
      .command("list")
      .description(`list a client's ${many}, by id`)
      .addArgument(client())
      .option(...json)
      .action((id, flags) => reading.ask({ do: "list", client: id, json: flags.json ?? false }));
    program
      .command("show")
      .description(`show one ${one}`)
      .addArgument(client())
      .addArgument(idArgument(reading))
      .option(...json)
      .action((owner, id, flags) =>
        reading.ask({ do: "show", client: owner, id, json: flags.json ?? false }),
      );
    return program;
  };
}
