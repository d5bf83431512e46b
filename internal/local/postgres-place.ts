import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, stat, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { sharedFolder } from "./shared-folder.ts";
import { closedFolder, type SystemUser } from "./system-user.ts";

const pointer = "elsewhere";

/** Where the data of `dir` is, if it had to be elsewhere; undefined otherwise, or if that is gone. */
export function knownElsewhere(dir: string): string | undefined {
  const file = join(dir, pointer);
  const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  return known !== "" && existsSync(known) ? known : undefined;
}

/**
 * Chooses the folder for Postgres' data: `dir` (created if missing), if the user that Postgres runs as can enter it. If
 * only `ours` (`dir`, or a folder of ours around it) is closed, as `mktemp -d` leaves it, it is opened for passing
 * through. A closed folder above, such as root's home, is not ours to open: then a folder elsewhere is created once,
 * and `<dir>/elsewhere` names it.
 */
export async function placeForPostgres(
  dir: string,
  user: SystemUser | undefined,
  ours: string = dir,
): Promise<string> {
  const folder = resolve(dir);
  await mkdir(folder, { recursive: true });
  if (user === undefined) return folder;

  // First, so that existing data elsewhere is found even if `dir` can be entered by now.
  const known = knownElsewhere(folder);
  if (known !== undefined) return known;

  let closed = closedFolder(folder, user);
  for (let opened: string | undefined; isWithin(closed, ours) && closed !== opened; ) {
    opened = closed;
    await chmod(closed, (await stat(closed)).mode | 0o011);
    closed = closedFolder(folder, user);
  }
  if (closed === undefined) return folder;

  const elsewhere = await mkdtemp(join(await sharedFolder(), "data-"));
  await chmod(elsewhere, 0o711);
  await writeFile(join(elsewhere, "belongs-to"), `${folder}\n`);
  await writeFile(join(folder, pointer), `${elsewhere}\n`);
  return elsewhere;
}

function isWithin(path: string | undefined, folder: string): path is string {
  return path !== undefined && !relative(resolve(folder), path).startsWith("..");
}
