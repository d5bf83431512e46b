import { jetstreamManager } from "@nats-io/jetstream";
import { freePort } from "../internal/local/free-port.ts";
import { gatewayWithoutLimit, type HttpLoad, type HttpLoadOptions, httpLoad, newKey } from "./feeds.ts";
import type { Measurement, Run } from "./measurement.ts";
import { clear } from "./streams.ts";
import { type Row, speedRow } from "./table.ts";
import { until } from "./until.ts";

/** One event per request: 64 connections, each with one request in flight. */
const singly = { batch: 1, connections: 64 };

/** One gateway without enrichers, so that the queue only fills; and simple servers for comparison. */
export const gateway: Measurement = {
  name: "gateway",
  title: "one gateway, events per second until the stream holds them, and their ratio to the broker's limit",
  async measure(run) {
    const { bench, options } = run;
    const { events, warmUp } = options;
    const singles = Math.max(1_000, Math.round(events / 4));
    await clear(bench.nc);
    const service = await bench.start("gateway", gatewayWithoutLimit);
    const url = `${service.url}/events`;
    const key = await newKey(bench);
    const post = loaderOf(run, url, key);
    await post({ ...singly, count: warmUp });
    const single = await post({ ...singly, count: singles });
    const arrays = await post({ batch: 100, connections: 8, count: events });
    const ndjson = await post({ batch: events, connections: 1, count: events, form: "ndjson" });
    await service.stop();
    const publishing = await fastifySpeed(run, "publish", singles);
    const bare = await fastifySpeed(run, "bare", singles);

    const row = (label: string, load: HttpLoad): Row =>
      speedRow(label, load.perSecond, 1, { p50: load.p50, p99: load.p99 });
    const besideFastify = (label: string, load: HttpLoad): Row =>
      speedRow(label, load.perSecond, 1, {
        ...{ p50: load.p50, p99: load.p99 },
        "to Fastify + js.publish": load.perSecond / publishing.perSecond,
        "to bare Fastify": load.perSecond / bare.perSecond,
      });
    return [
      besideFastify("single events, 64 at once", single),
      besideFastify("  Fastify with a schema and await js.publish", publishing),
      besideFastify("  Fastify with a schema that only answers", bare),
      row("arrays of 100, 8 at once", arrays),
      row("one NDJSON stream", ndjson),
    ];
  },
};

type Load = Omit<HttpLoadOptions, "url" | "key" | "firstId">;

/** Loads one URL, each time with new ids. */
function loaderOf({ bench }: Run, url: string, key: string): (load: Load) => Promise<HttpLoad> {
  let nextId = 1;
  return (load) => {
    const firstId = nextId;
    nextId += load.count;
    return httpLoad(bench, { ...load, url, key, firstId });
  };
}

/** The same load on a Fastify of a few lines. */
async function fastifySpeed(run: Run, mode: "publish" | "bare", count: number): Promise<HttpLoad> {
  const { bench, options } = run;
  await clear(bench.nc);
  const jsm = await jetstreamManager(bench.nc);
  await jsm.streams.add({ name: "FASTIFY", subjects: ["FASTIFY"] });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/events`;
  const server = bench.program("peers/fastify.ts", { MODE: mode, PORT: String(port) });
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  await until(answers, "Fastify to listen", bench);
  const post = loaderOf(run, url, "");
  await post({ ...singly, count: options.warmUp });
  const load = await post({ ...singly, count });
  await server.stop();
  return load;
}
