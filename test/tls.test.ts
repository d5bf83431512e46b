import { chmodSync, chownSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { freePort } from "../internal/local/free-port.ts";
import { startPostgres } from "../internal/local/postgres-server.ts";
import { connectPostgres } from "../internal/postgres/connect.ts";
import { silent } from "./harness/broker.ts";
import { startCommand } from "./harness/command.ts";
import { watch } from "./harness/guard.ts";
import { redisServerForTest } from "./harness/infrastructure.ts";
import { lockedNatsForTest } from "./harness/locked-broker.ts";
import { natsConfWith } from "./harness/nats-conf.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { tempFolder } from "./harness/temp-folder.ts";

const certificates = join(import.meta.dirname, "harness/tls");
const ca = join(certificates, "ca.crt");

const postgres = await postgresWithTls();

/** The URL of a Postgres that lets in only who comes by TLS. */
async function postgresWithTls(): Promise<string> {
  const server = await startPostgres({ dir: tempFolder("postgres"), durability: "fast", spawned: watch });
  afterAll(() => server.kill());
  const data = join(server.place, "data");
  const { uid, gid } = statSync(data);
  for (const file of ["server.crt", "server.key"]) {
    copyFileSync(join(certificates, file), join(data, file));
    chownSync(join(data, file), uid, gid);
  }
  chmodSync(join(data, "server.key"), 0o600);
  const password = readFileSync(join(server.place, "superuser-password"), "utf8").trim();
  const admin = new pg.Client({
    connectionString: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
  });
  await admin.connect();
  await admin.query("alter system set ssl = on");
  writeFileSync(join(data, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n");
  await admin.query("select pg_reload_conf()");
  await admin.end();
  return server.url;
}

async function encrypted(query: string): Promise<unknown> {
  const db = connectPostgres(`${postgres}?${query}`, "test", silent);
  onTestFinished(() => db.destroy());
  return (await sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(db)).rows;
}

test.each([
  [`sslmode=verify-full&sslrootcert=${ca}`, "its certificate is verified"],
  ["sslmode=no-verify", "any certificate will do"],
])("Postgres with %s: encrypted, and %s", async (query) => {
  expect(await encrypted(query)).toEqual([{ ssl: true }]);
});

test.each([
  ["", /no encryption/],
  ["sslmode=disable", /no encryption/],
  ["sslmode=verify-full", /certificate/],
  // The driver takes these for verify-full.
  ["sslmode=require", /certificate/],
  ["sslmode=prefer", /certificate/],
])("Postgres with %j is refused", async (query, because) => {
  await expect(encrypted(query)).rejects.toThrow(because);
});

test("a service speaks TLS with NATS, Postgres and Redis, and trusts the authority it is given", async () => {
  const nats = await lockedNatsForTest(undefined, {
    config: natsConfWith("nats/tls.conf"),
    tls: { ca: readFileSync(ca, "utf8") },
  });
  const redis = await redisServerForTest();
  const redisPort = await freePort();
  const admin = new Redis(redis.url);
  const file = (name: string) => join(certificates, name);
  await admin.config("SET", "tls-cert-file", file("server.crt"), "tls-key-file", file("server.key"));
  await admin.config("SET", "tls-ca-cert-file", ca, "tls-auth-clients", "no", "tls-port", String(redisPort));
  admin.disconnect();

  const env = {
    NATS_URL: nats.as("gateway").replace("nats://", "tls://"),
    DATABASE_URL: `${postgres}?sslmode=verify-full`,
    REDIS_URL: `rediss://127.0.0.1:${redisPort}`,
    NODE_EXTRA_CA_CERTS: ca,
  };
  await runForTest("migrate", [], env);
  // Ready means that all three answer.
  const gateway = await serviceForTest("gateway", env);
  expect(gateway.errors()).toBe("");

  const { NODE_EXTRA_CA_CERTS: _, ...untrusting } = env;
  const service = startCommand("cmd/gateway/main.ts", { env: { ...untrusting, HTTP_PORT: "0" } });
  expect(await service.logged(/^NATS is away, trying until it answers$/)).toMatchObject({
    because: expect.stringMatching(/certificate/),
  });
});
