import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../internal/local/free-port.ts";
import { commands } from "../internal/service/commands.ts";
import { runHere } from "./harness/command-here.ts";

/** Commands that ask a server and end, each with words that make it ask. */
const asking: Readonly<Record<string, readonly string[]>> = {
  samples: [],
  clients: ["list"],
  players: ["list", "casino"],
  games: ["list", "casino"],
  "event-types": ["list"],
  "dead-letters": ["list"],
  prove: [],
  tail: [],
};

/** Runs each with these servers, and gives what came of it by name. */
async function run(NATS_URL: string, DATABASE_URL: string) {
  const ends = [];
  for (const [name, args] of Object.entries(asking)) {
    const file = commands.find((one) => one.name === name)?.file ?? expect.fail(`there is no ${name}`);
    ends.push({ name, ...(await runHere(file, args, { env: { NATS_URL, DATABASE_URL } })) });
  }
  return ends;
}

describe("each command that asks a server", () => {
  test("names the server that is away, in one line without its password, and ends with 69", async () => {
    const port = await freePort();
    const ends = await run(
      `nats://u:secret@127.0.0.1:${port}`,
      `postgres://u:secret@127.0.0.1:${port}/casino`,
    );
    for (const { name, code, stdout, stderr } of ends) {
      expect([name, code, stdout]).toEqual([name, 69, ""]);
      expect(stderr).toMatch(new RegExp(`^${name}: [^\\n]*127\\.0\\.0\\.1:${port}[^\\n]*\\n$`));
      expect(stderr).not.toContain("secret");
    }
  });

  test("takes another kind of server at that address for one that is away", async () => {
    const other = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const ends = await run(`nats://127.0.0.1:${port}`, `postgres://casino:casino@127.0.0.1:${port}/casino`);
    for (const { name, code, stdout, stderr } of ends) {
      expect([name, code, stdout, stderr]).toEqual([name, 69, "", stderr]);
      expect(stderr).toMatch(new RegExp(`^${name}: [^\\n]*127\\.0\\.0\\.1:${port}[^\\n]*\\n$`));
    }
    const tail = ends.find(({ name }) => name === "tail");
    expect(tail?.stderr).toBe(
      `tail: NATS is away: what answers at nats://127.0.0.1:${port} does not speak NATS. Set NATS_URL.\n`,
    );
  });
});
