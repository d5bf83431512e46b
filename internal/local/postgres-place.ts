import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sharedFolder } from "./shared-folder.ts";
import { closedFolder, type SystemUser } from "./system-user.ts";

const pointer = "elsewhere";

/** Where the data of `dir` lies when it had to be put elsewhere; undefined when it had not, or is gone. */
export function knownElsewhere(dir: string): string | undefined {
  const file = join(dir, pointer);
  const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  return known !== "" && existsSync(known) ? known : undefined;
}

/**
 * The folder that is to hold Postgres' data: `dir`, made when missing, if the user that Postgres runs as can enter it.
 * When only `dir` itself is closed (as `mktemp -d` leaves it), it is opened for passing through. When a folder above is
 * closed (root's home), that is not ours to open: a folder elsewhere is made once, and `<dir>/elsewhere` names it.
 */
export async function placeForPostgres(dir: string, user: SystemUser | undefined): Promise<string> {
  const folder = resolve(dir);
  await mkdir(folder, { recursive: true });
  if (user === undefined) return folder;

  if (closedFolder(folder, user) === folder) await chmod(folder, (await stat(folder)).mode | 0o011);
  if (closedFolder(folder, user) === undefined) return folder;

  const known = knownElsewhere(folder);
  if (known !== undefined) return known;
  const elsewhere = await mkdtemp(join(await sharedFolder(), "data-"));
  await chmod(elsewhere, 0o711);
  await writeFile(join(elsewhere, "belongs-to"), `${folder}\n`);
  await writeFile(join(folder, pointer), `${elsewhere}\n`);
  return elsewhere;
}
