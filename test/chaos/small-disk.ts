import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { watch } from "../harness/guard.ts";
import { waitFor } from "../harness/wait-for.ts";

/** A small file system in memory, visible only in its own mount namespace. It disappears with its keeper process. */
export interface SmallDisk {
  /** A wrapper that runs the program in the disk's namespace. */
  readonly wrapper: string;
  /** The disk's root, as seen from outside the namespace. */
  readonly root: string;
  readonly close: () => void;
}

/**
 * Mounts a disk of this size at `at`, for `program` alone. It uses a mount namespace, so that nothing stays mounted however
 * this process ends. @throws Error if this user may not mount (root on Linux may)
 */
export async function smallDisk(at: string, program: string, bytes: number): Promise<SmallDisk> {
  mkdirSync(at, { recursive: true });
  const script = `mount -t tmpfs -o size=${bytes} chaos "$0" && touch "$0/mounted" && exec sleep 1000000`;
  const keeper = spawn("unshare", ["--mount", "sh", "-c", script, at], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  let ended = false;
  keeper.stderr.on("data", (text) => (said += text));
  keeper.on("error", (error) => (said += error.message));
  keeper.once("close", () => (ended = true));
  const { pid } = keeper;
  if (pid !== undefined) watch(pid);
  const root = `/proc/${pid}/root${at}`;
  const isMounted = async (): Promise<boolean> => {
    if (ended) return true;
    await (await open(join(root, "mounted"))).close();
    return true;
  };
  await waitFor(isMounted, { what: "the small disk to be mounted" });
  if (ended || pid === undefined) throw new Error(`a small disk cannot be mounted here: ${said.trim()}`);
  const wrapper = `${at}.sh`;
  writeFileSync(wrapper, `#!/bin/sh\nexec nsenter --target ${pid} --mount ${program} "$@"\n`, {
    mode: 0o755,
  });
  return { wrapper, root, close: () => keeper.kill("SIGKILL") };
}

const ballast = "ballast";

/** Fills the disk to the last byte. */
export async function fillSmallDisk({ root }: SmallDisk): Promise<void> {
  const file = await open(join(root, ballast), "a");
  try {
    for (let size = 2 ** 20; size >= 1; ) {
      try {
        const { bytesWritten } = await file.write(Buffer.alloc(size));
        if (bytesWritten < size) size = Math.floor(size / 2);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
        size = Math.floor(size / 2);
      }
    }
  } finally {
    await file.close();
  }
}

export async function freeSmallDisk({ root }: SmallDisk): Promise<void> {
  await rm(join(root, ballast));
}
