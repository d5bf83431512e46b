import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../internal/local/free-port.ts";
import { type NatsOptions, startNats } from "../../internal/local/nats-server.ts";
import { restartable, type TestServer } from "../harness/restartable.ts";
import { waitFor } from "../harness/wait-for.ts";

export interface BrokerOptions {
  readonly folder: string;
  /** The nats-server to run; default: the one that is found. */
  readonly binary: string | undefined;
  /** What all streams of a server may take on disk together, in bytes. */
  readonly maxFileStore: number;
}

/** One nats-server of the run's own. */
export async function startBroker({ folder, binary, maxFileStore }: BrokerOptions): Promise<TestServer> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "nats.conf");
  writeFileSync(config, `jetstream { store_dir: $NATS_STORE_DIR, max_file_store: ${maxFileStore} }\n`);
  return restartable((again) => startNats({ dir: join(folder, "store"), binary, config, ...again }));
}

/** Three nats-servers of the run's own as one cluster; resolves once it has a leader. */
export async function startCluster(options: BrokerOptions): Promise<readonly TestServer[]> {
  const { folder, binary } = options;
  const routes = [await freePort(), await freePort(), await freePort()];
  const url = (port: number) => `nats://127.0.0.1:${port}`;
  const nodes = await Promise.all(
    routes.map((port, index) => {
      const args = ["--name", `n${index + 1}`, "--cluster_name", "chaos", "--cluster", url(port)];
      const node: NatsOptions = {
        dir: join(folder, `n${index + 1}`),
        binary,
        readyWhen: "connect",
        args: [...args, "--routes", routes.map(url).join(",")],
      };
      return restartable((again) => startNats({ ...node, ...again }));
    }),
  );
  return nodes;
}

/** Resolves when the cluster, or the one server, answers for JetStream. */
export async function jetStreamAnswers(ask: () => Promise<unknown>, timeout = 60_000): Promise<void> {
  await waitFor(async () => (await ask()) !== undefined, {
    timeout,
    interval: 100,
    what: "JetStream to answer",
  });
}
