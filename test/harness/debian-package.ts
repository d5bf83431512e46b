import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Installs a package on Debian as root; elsewhere it does nothing. Test files may do so at once: apt refuses a second process. */
export async function installOnDebian(name: string): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const oneAtATime = [join(tmpdir(), "croupier-apt.lock"), "apt-get"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: readonly string[]) =>
    promisify(execFile)("flock", [...oneAtATime, "-qq", ...args], { env });
  await apt("update");
  await apt("install", "-y", "--no-install-recommends", name);
}
