import type { LightMyRequestResponse } from "fastify";
import { beforeEach, expect } from "vitest";
import { connectForTest, defaultLimits } from "../../../test/harness/broker.ts";
import { natsForTest } from "../../../test/harness/infrastructure.ts";
import { addClient, createKey } from "../../clients/client-repository.ts";
import { Publisher } from "../../jetstream/publisher.ts";
import { ensureStreams } from "../../jetstream/topology.ts";
import { databaseOfFile, gatewayForTest, keyFor } from "../gateway.fixture.ts";

export type Method = "GET" | "POST" | "DELETE";
type Ask = (
  method: Method,
  url: string,
  options?: { key?: string; body?: string | Buffer; type?: string },
) => Promise<LightMyRequestResponse>;
export const problem = (status: number, detail: unknown) =>
  expect.objectContaining({ type: "about:blank", status, detail });

/** A broker, clients with keys and gateways for one test file. Each test starts without letters. */
export async function lettersGatewayForTest() {
  const server = await natsForTest();
  const { nc, jsm } = await connectForTest(server);
  const publisher = new Publisher(nc);
  const db = await databaseOfFile();
  await addClient(db, "acme", "Acme");
  const operator = (await createKey(db, "operator")) ?? "";
  const casino = await keyFor(db, "till");
  const acme = await keyFor(db, "till", "acme");

  beforeEach(async () => {
    for (const name of ["CASINO_RAW", "CASINO_DEAD"]) await jsm.streams.delete(name).catch(() => false);
    await ensureStreams(nc, ["raw"], defaultLimits);
  });

  /** Sends a request to a new gateway, by default as an operator. */
  async function gateway(): Promise<Ask> {
    const { app } = await gatewayForTest(server, db);
    return async (method, url, { key = operator, body, type = "application/json" } = {}) =>
      app.inject({
        method,
        url,
        headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": type }) },
        ...(body !== undefined && { payload: body }),
      });
  }

  const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
  return { server, nc, jsm, publisher, casino, acme, gateway, count };
}
