import { beforeEach } from "vitest";
import { connectForTest } from "../../../test/harness/broker.ts";
import { natsForTest } from "../../../test/harness/infrastructure.ts";
import { databaseOfFile, emptyRaw, gatewayForTest, keyFor, storedMessages } from "../gateway.fixture.ts";

/** What is stored of `deposit(id)`. */
export const body = (id: number) =>
  `{"id":${id},"player_id":12,"type":"deposit","amount":10000,"currency":"EUR","created_at":"2022-03-03T12:12:00.000Z"}`;

/** A broker and gateways for one test file. Each test starts with an empty stream. */
export async function postingForTest() {
  const server = await natsForTest();
  const { jsm } = await connectForTest(server);
  const db = await databaseOfFile();
  const key = await keyFor(db, "till-1");

  beforeEach(() => emptyRaw(jsm));

  /** Posts bodies to a new gateway. */
  async function poster() {
    const { app } = await gatewayForTest(server, db);
    return async (
      payload: string | Buffer,
      contentType = "application/json",
      more: Record<string, string> = {},
    ) => {
      const headers = { authorization: `Bearer ${key}`, "content-type": contentType, ...more };
      const response = await app.inject({ method: "POST", url: "/events", headers, payload });
      return {
        status: response.statusCode,
        type: response.headers["content-type"],
        headers: response.headers,
        body: response.json(),
      };
    };
  }

  /** The events in the stream, in order, each with its message's headers. */
  async function stored() {
    return (await storedMessages(jsm)).flatMap(({ subject, events, header }) =>
      events.map((body) => ({
        subject,
        body,
        id: header("Nats-Msg-Id"),
        source: header("Casino-Source"),
        traceparent: header("traceparent"),
      })),
    );
  }
  return { server, jsm, db, key, poster, stored };
}
