import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeAtEnd } from "./guard.ts";

/** A new folder that is removed when this process ends, however it ends. */
export function tempFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `croupier-${purpose}-`));
  // As root, Postgres runs as a user who must be able to pass through.
  chmodSync(folder, 0o711);
  removeAtEnd(folder);
  return folder;
}
