import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sharedFolder } from "./shared-folder.ts";
import { closedFolder, type SystemUser } from "./system-user.ts";

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

  const pointer = join(folder, "elsewhere");
  const known = existsSync(pointer) ? (await readFile(pointer, "utf8")).trim() : "";
  if (known !== "" && existsSync(known)) return known;
  const elsewhere = await mkdtemp(join(await sharedFolder(), "data-"));
  await chmod(elsewhere, 0o711);
  await writeFile(join(elsewhere, "belongs-to"), `${folder}\n`);
  await writeFile(pointer, `${elsewhere}\n`);
  return elsewhere;
}
