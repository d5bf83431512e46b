import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../internal/local/free-port.ts";
import { type NatsOptions, startNats } from "../../internal/local/nats-server.ts";
import { natsRoles, natsUsers } from "../../internal/local/nats-users.ts";
import { restartable, type TestServer } from "../harness/restartable.ts";
import { waitFor } from "../harness/wait-for.ts";
import { brokerConfig, malloryUser } from "./hostile/broker-config.ts";

/** Credentials of a connection; empty if the broker has no users. */
export interface Credentials {
  readonly user?: string;
  readonly pass?: string;
}

/** The brokers of a run, and the credentials of their users. */
export interface Brokers {
  readonly servers: readonly TestServer[];
  /** @param user of nats.conf, or the hostile producer's */
  credentials(user: string): Credentials;
}

export interface BrokerOptions {
  readonly folder: string;
  /** Path of the nats-server; default: the one found on this machine. */
  readonly binary: string | undefined;
  /** Disk space for all streams of a server, in bytes. */
  readonly maxFileStore: number;
}

/** Starts one nats-server with the users and accounts of nats.conf, and an account of the hostile producer. */
export async function startBroker({ folder, binary, maxFileStore }: BrokerOptions): Promise<Brokers> {
  mkdirSync(folder, { recursive: true });
  const { config, passwordVariable } = brokerConfig(folder, maxFileStore);
  const users = natsUsers(undefined);
  const hers = { user: malloryUser, pass: randomBytes(16).toString("hex") };
  const server = await restartable((again) =>
    startNats({
      dir: join(folder, "store"),
      binary,
      config,
      variables: { ...users.variables, [passwordVariable]: hers.pass },
      auth: users.credentials("operator"),
      ...again,
    }),
  );
  return {
    servers: [server],
    credentials(user) {
      const role = natsRoles.find((each) => each === user);
      if (role !== undefined) return users.credentials(role);
      if (user !== hers.user) throw new Error(`nats.conf has no user ${user}`);
      return hers;
    },
  };
}

/** Starts three nats-servers as a cluster without users. */
export async function startCluster(options: BrokerOptions): Promise<Brokers> {
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
  return { servers: nodes, credentials: () => ({}) };
}

/** Resolves when JetStream answers, of one server or of the cluster. */
export async function jetStreamAnswers(ask: () => Promise<unknown>, timeout = 60_000): Promise<void> {
  await waitFor(async () => (await ask()) !== undefined, {
    timeout,
    interval: 100,
    what: "JetStream to answer",
  });
}
