import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { connectForTest } from "./broker.ts";
import { databaseForTest, natsForTest, redisForTest } from "./infrastructure.ts";
import { ratesForTest } from "./rates-server.ts";
import type { TestServer } from "./restartable.ts";
import { prepareWithSamples } from "./samples.ts";
import { runForTest } from "./service.ts";
import { waitFor } from "./wait-for.ts";

/** All that a pipeline's services need, and an eye on it. */
export interface PipelineUnderTest {
  readonly nats: TestServer;
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** What the services are started with. */
  readonly env: {
    readonly NATS_URL: string;
    readonly DATABASE_URL: string;
    readonly REDIS_URL: string;
    readonly RATES_URL: string;
  };
}

/**
 * A broker of this test file's own, a migrated database, an empty Redis and the oracle's rates.
 * @param binary of another nats-server than all tests use
 */
export async function pipelineForTest({
  binary,
}: {
  readonly binary?: string;
} = {}): Promise<PipelineUnderTest> {
  const nats = await natsForTest(binary === undefined ? {} : { binary });
  const { nc, jsm } = await connectForTest(nats);
  const env = {
    NATS_URL: nats.url,
    DATABASE_URL: await databaseForTest(),
    REDIS_URL: await redisForTest(),
    RATES_URL: (await ratesForTest()).url,
  };
  await prepareWithSamples(env.DATABASE_URL);
  return { nats, nc, jsm, env };
}

/** A fresh API key of a source of this client. */
export async function keyForTest(
  client: string,
  source: string,
  env: Record<string, string>,
): Promise<string> {
  const said = await runForTest("clients", ["keys", "create", client, source], env);
  const key = /cr_\w+/.exec(said)?.[0];
  if (key === undefined) throw new Error(`no key in: ${said}`);
  return key;
}

/** Resolves once no step has anything left to do. */
export async function emptyQueues(jsm: JetStreamManager, timeout = 90_000): Promise<void> {
  const queues = ["CASINO_RAW", "CASINO_PRICED", "CASINO_PROFILED"];
  await waitFor(
    async () => {
      const infos = await Promise.all(queues.map((name) => jsm.streams.info(name)));
      return infos.every(({ state }) => state.messages === 0);
    },
    { timeout, what: "empty queues" },
  );
}
