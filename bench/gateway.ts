import { Agent, request } from "node:http";
import { type Bench, clear } from "./environment.ts";
import { perSecond, rawPayloads } from "./publishing.ts";

/** Events per second that one gateway takes in, from request to PubAck, by the form they come in. */
export interface GatewaySpeeds {
  readonly single: number;
  readonly arrays: number;
  readonly ndjson: number;
}

/** One gateway process, no enricher: the queue only fills. */
export async function gatewaySpeeds(bench: Bench, count: number): Promise<GatewaySpeeds> {
  await clear(bench.nc);
  const gateway = await bench.start("gateway", { RATE_LIMIT: "1000000" });
  const said = await bench.run("clients", "keys", "create", "casino", `bench-${count}`, "--expires", "1h");
  const key = /cr_\w+/.exec(said)?.[0] ?? "";
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let nextId = 1;
  const payloads = (many: number) => {
    nextId += many;
    return rawPayloads(many, nextId - many);
  };

  const post = (type: string, body: string) =>
    new Promise<void>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${key}`,
        "content-type": type,
        "content-length": Buffer.byteLength(body),
      };
      const sent = request(`${gateway.url}/events`, { method: "POST", agent, headers }, (answer) => {
        answer.resume();
        answer.on("end", () =>
          answer.statusCode === 202
            ? resolve()
            : reject(new Error(`the gateway answered ${answer.statusCode}`)),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  /** So many at once, each sending its next when its last was answered. */
  const all = async (bodies: readonly string[], type: string, atOnce: number) => {
    const started = performance.now();
    let next = 0;
    const sender = async () => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await post(type, body);
    };
    await Promise.all(Array.from({ length: atOnce }, sender));
    return started;
  };

  const singles = payloads(Math.round(count / 10)).map(String);
  const single = perSecond(singles.length, await all(singles, "application/json", 64));
  const hundreds = Array.from({ length: count / 100 }, () => `[${payloads(100).join()}]`);
  const arrays = perSecond(count, await all(hundreds, "application/json", 8));
  const lines = payloads(count).join("\n");
  const ndjson = perSecond(count, await all([lines], "application/x-ndjson", 1));
  agent.destroy();
  await gateway.stop();
  return { single, arrays, ndjson };
}
