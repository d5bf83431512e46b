import assert from "node:assert/strict";
import { docker } from "./project.ts";
import { check } from "./report.ts";

const limit = 300e6;

/** What an unprivileged shell in the image finds that should not be there. */
const strays = [
  "command -v npm npx yarn curl wget gcc",
  "find /app -path '*/node_modules' -prune -o -name '*.test.ts' -print",
  "find /app -path '*/node_modules' -prune -o -name '.env*' -print",
  "ls -d /app/node_modules/node /app/node_modules/typescript /app/node_modules/vitest /app/test /app/.git",
  "find /app -writable",
];

/** Builds the image and looks at it. */
export async function checkImage(): Promise<void> {
  await check("the image is built", async () => {
    await docker(["build", "--quiet", "--tag", "croupier", "."]);
  });
  await check("it is smaller than 300 MB", async () => {
    const size = Number(await docker(["image", "inspect", "--format", "{{.Size}}", "croupier"]));
    assert.ok(size < limit, `${size} bytes`);
    return `${Math.round(size / 1e6)} MB`;
  });
  await check("it runs as nobody special and holds only what a service needs", async () => {
    const inside = (script: string) =>
      docker(["run", "--rm", "--network=none", "--entrypoint=sh", "croupier", "-c", script]);
    assert.equal((await inside("id -u")).trim(), "1000");
    assert.equal(
      (
        await inside(
          strays
            .map((stray) => `${stray} 2>/dev/null`)
            .join("; ")
            .concat("; true"),
        )
      ).trim(),
      "",
    );
  });
  await check("without a command it says what to do and exits with 78", async () => {
    await assert.rejects(docker(["run", "--rm", "croupier"]), /\(78\):\nSay which service to run/);
  });
}
