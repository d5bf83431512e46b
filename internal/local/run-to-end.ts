import { spawn } from "node:child_process";
import type { SystemUser } from "./system-user.ts";

/** Runs a program to its end, as `user` if given. If it fails, throws with the end of its output. */
export function runToEnd(path: string, args: readonly string[], user: SystemUser | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"], cwd: "/", ...user });
    let said = "";
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${path} failed (exit code ${code}): ${said.trim()}`));
    });
  });
}
