import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { Proof } from "../../internal/proof/proof.ts";
import type { Findings } from "./findings.ts";

const prove = join(resolve(import.meta.dirname, "../../cmd"), "prove/main.ts");

/** Runs `npm run prove`, which does not know the load. Every violated check is a fault. */
export async function proveCheck(env: Readonly<Record<string, string>>): Promise<Findings> {
  const child = spawn(process.execPath, [prove, "--json", "--wait", "60s"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (said.err += text));
  const [code] = await once(child, "close");
  if (code !== 0 && code !== 1) throw new Error(`prove ended with exit code ${code}: ${said.err.trim()}`);
  const { checks, holds } = JSON.parse(said.out) as Proof; // our own command's answer
  const violated = checks.filter(({ verdict }) => verdict === "violated");
  const wrong = violated.map(
    ({ sentence, count, names }) => `prove: ${sentence} ${count}: ${names.slice(0, 3).join("; ")}`,
  );
  if (holds !== (wrong.length === 0)) wrong.push(`prove contradicts itself: ${said.out}`);
  return { lost: 0, doubled: 0, wrong };
}
