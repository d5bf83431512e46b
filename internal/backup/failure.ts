import pg from "pg";
import { asUnavailable } from "../postgres/connect.ts";
import { CommandError } from "../service/command-error.ts";
import { isUnavailable } from "../service/unavailable.ts";

const insufficientPrivilege = "42501";
// Appendix A of the Postgres manual: data exceptions, integrity constraint violations.
const unfitClasses = ["22", "23"];

/**
 * Why a backup could not be written or restored, for the person who asked.
 * @param file what was done with the file, as in "read"
 */
export function backupFailure(err: unknown, file: "read" | "written"): unknown {
  if (err instanceof pg.DatabaseError && err.code === insufficientPrivilege)
    return new CommandError(
      `The user of DATABASE_URL may not do this (${err.message}): take the one that owns the tables, with which croupier migrate is run; an up prints it after export.`,
      { cause: err },
    );
  if (err instanceof pg.DatabaseError && unfitClasses.includes(err.code?.slice(0, 2) ?? ""))
    return new CommandError(`The backup does not fit this database (${err.message}): nothing was changed.`, {
      cause: err,
    });
  const away = asUnavailable(err);
  if (isUnavailable(away)) return away;
  if (err instanceof Error && "syscall" in err)
    return new CommandError(`The file cannot be ${file}: ${err.message}.`, { cause: err });
  return err;
}
