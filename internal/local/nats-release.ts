import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const version = "v2.12.15";
const officialReleases = "https://github.com/nats-io/nats-server/releases/download";

/** The checksums that the official container image uses for this release. */
const sha256: Readonly<Record<string, string>> = {
  "linux-amd64": "58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e",
  "linux-arm64": "b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6",
};

/**
 * Returns the path of the pinned official nats-server below `cache`, and downloads it if it is missing. Throws if there
 * is none for this machine, the download fails, or its checksum is not the pinned one. Two processes may do it at once.
 */
export async function downloadNatsRelease(
  cache: string,
  releases = officialReleases,
  withinMs = 60_000,
): Promise<string> {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const name = `nats-server-${version}-${process.platform}-${arch}`;
  const path = join(cache, name);
  if (existsSync(path)) return path;
  const expected = sha256[`${process.platform}-${arch}`];
  if (expected === undefined)
    throw new Error(`no nats-server release is pinned for ${process.platform}-${arch}`);

  const url = `${releases}/${version}/${name}.tar.gz`;
  const response = await fetch(url, { signal: AbortSignal.timeout(withinMs) }).catch((error: unknown) => {
    throw new Error(`${url} is out of reach`, { cause: error });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const archive = new Uint8Array(await response.arrayBuffer());
  if (createHash("sha256").update(archive).digest("hex") !== expected) {
    throw new Error(`${url} does not have the pinned checksum`);
  }

  const folder = await mkdtemp(join(cache, "download-"));
  try {
    await writeFile(join(folder, "archive.tar.gz"), archive);
    await run("tar", ["-xzf", "archive.tar.gz", "--strip-components=1"], { cwd: folder });
    await rename(join(folder, "nats-server"), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}
