import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { StackError } from "./stack-error.ts";

const script = resolve(import.meta.dirname, "../../nats/move-streams.sh");

/**
 * Moves the streams that a server without accounts has left in this folder to where the one with nats.conf looks for them;
 * where there are none it does nothing. Only while no server runs on the folder.
 * @param say told of each stream that was moved
 * @throws StackError when they must not be moved
 */
export function moveStreams(storeDir: string, say: (message: string) => void): Promise<void> {
  return new Promise((done, reject) => {
    execFile("sh", [script, storeDir], (error, _stdout, stderr) => {
      const lines = stderr.split("\n").filter((line) => line !== "");
      if (error !== null) reject(new StackError(lines.join("\n") || error.message));
      else {
        for (const line of lines) say(line);
        done();
      }
    });
  });
}
