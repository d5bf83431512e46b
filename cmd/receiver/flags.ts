import type { Command } from "@commander-js/extra-typings";
import type { Reading } from "../../internal/service/command-line.ts";
import { names } from "../../internal/service/config-values.ts";

export const receiverFlags = (program: Command, reading: Reading<unknown>) =>
  program.addOption(
    reading.option("--clients <A,B>", "clients whose events are sent here; default casino", names),
  );
