import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { archiveForTest, finalBet } from "../../internal/archive/database.fixture.ts";
import { encodeEvent } from "../../internal/casino/encode.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { OutgoingHeaders } from "../../internal/jetstream/wire-headers.ts";
import { retryDurable, stageSubject } from "../../internal/messages/subjects.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { receiverForTest } from "../../internal/webhooks/receiver.fixture.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { connectForTest } from "../../test/harness/broker.ts";
import { natsForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { serviceForTest } from "../../test/harness/service.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const [nats, postgres] = await Promise.all([natsForTest(), postgresForTest()]);
const { nc, jsm } = await connectForTest(nats);
const publisher = new Publisher(nc);
const db = await archiveForTest(postgres.url);
const key = randomBytes(32);
const destinations = new Destinations(db, new SecretBox([key]));

const publishBets = (from: number, to: number) =>
  Promise.all(
    Array.from({ length: to - from }, (_, i) =>
      publisher.publish({
        subject: stageSubject("final", "casino", "bet"),
        payload: encodeEvent(finalBet(from + i)),
        headers: new OutgoingHeaders().add("Nats-Msg-Id", `test:${from + i}`),
      }),
    ),
  );

test("loses nothing over kills of itself and outages of its servers, says when it cannot work, and ends with 0", async () => {
  const sender = await serviceForTest("sender", {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    DELIVERY_KEY: key.toString("base64"),
    DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
    DELIVERY_RETRIES: Array(50).fill("200ms").join(),
  });
  const receiver = await receiverForTest((response) => {
    // Some take their time, some are refused at first.
    if (receiver.received.length % 7 === 0) response.writeHead(503).end();
    else setTimeout(() => response.writeHead(204).end(), receiver.received.length % 5);
  });
  const ids = () => new Set(receiver.received.map(({ body }): number => JSON.parse(body).data.id));
  const destination = await destinations.create("casino", {
    ...{ url: receiver.url, types: null, headers: {}, rateLimit: null, ordered: false, batch: 1 },
    enabled: true,
  });
  await publishBets(1, 501);
  await waitFor(() => ids().size > 100);
  await sender.kill();
  await sender.start();
  await waitFor(() => ids().size === 500);

  await postgres.kill();
  await publishBets(501, 601);
  await waitFor(async () => (await fetch(`${sender.url}/readyz`)).status === 503);
  await postgres.start();
  await waitFor(() => ids().size === 600);
  await waitFor(async () => (await fetch(`${sender.url}/readyz`)).status === 200);

  await nats.kill();
  await nats.start();
  await publishBets(601, 651);
  await waitFor(() => ids().size === 650);
  // Each attempt is recorded before its event is let go, so in the end there is one that did well for each.
  // By the consumer: after a kill nats-server 2.9 may keep messages in the stream that were acknowledged, and delivers them no more.
  await waitFor(async () => {
    const retries = await jsm.consumers.info("CASINO_RETRY", retryDurable(destination.id));
    return retries.num_pending + retries.num_ack_pending === 0;
  });
  const rows = db.selectFrom("deliveries").where("outcome", "=", "delivered").select("event_id").distinct();
  await waitFor(async () => (await rows.execute()).length === 650);
  await sender.stop();
  expect(await sender.exited()).toBe("exit code 0");
});
