import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { Archiver } from "../../internal/archive/archiver.ts";
import { archiveForTest, finalBet } from "../../internal/archive/database.fixture.ts";
import { encodeEvent } from "../../internal/casino/encode.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { OutgoingHeaders } from "../../internal/jetstream/wire-headers.ts";
import { retryDurable, stageSubject } from "../../internal/messages/subjects.ts";
import { deliveryCheck } from "../../internal/proof/deliveries.ts";
import { defaultSettings } from "../../internal/webhooks/destination.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { type Receiver, receiverForTest } from "../../internal/webhooks/receiver.fixture.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { connectForTest, silent } from "../../test/harness/broker.ts";
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

const ids = (receiver: Receiver) =>
  new Set(receiver.received.map(({ body }): number => JSON.parse(body).data.id));
const hasAll = (receivers: readonly Receiver[], events: number) =>
  waitFor(() => receivers.every((receiver) => ids(receiver).size === events), {
    what: `${events} events at ${receivers.length} receivers`,
  });
const destinationAt = ({ url }: Receiver) => destinations.create("casino", { ...defaultSettings, url });

test("of twenty destinations four fail: the others get all, and nothing is lost over kills of sender, receiver and servers", async () => {
  const sender = await serviceForTest("sender", {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    DELIVERY_KEY: key.toString("base64"),
    DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
    DELIVERY_RETRIES: Array(100).fill("200ms").join(),
  });
  let areMended = false;
  const hanging = new Set<ServerResponse>();
  const failing = (fail: (response: ServerResponse) => unknown) =>
    receiverForTest((response) => (areMended ? response.writeHead(204).end() : fail(response)));
  const [hangs, ...others] = await Promise.all([
    failing((response) => hanging.add(response)),
    failing((response) => response.writeHead(500).end()),
    failing((response) => response.writeHead(429, { "retry-after": "1" }).end()),
    failing((response) => response.destroy()),
  ]);
  // One takes its time, and refuses some at first.
  const choosy = await receiverForTest((response) => {
    if (choosy.received.length % 7 === 0) response.writeHead(503).end();
    else setTimeout(() => response.writeHead(204).end(), choosy.received.length % 5);
  });
  const healthy = [choosy, ...(await Promise.all(Array.from({ length: 15 }, () => receiverForTest())))];
  const all = [hangs, ...others, ...healthy];
  const created = await Promise.all(all.map(destinationAt));
  const archiver = await Archiver.start({ nc, db, publisher, log: silent });
  onTestFinished(() => archiver.stop());

  await publishBets(1, 101);
  await waitFor(() => ids(choosy).size > 20);
  await sender.kill();
  await sender.start();
  await hasAll(healthy, 100);
  await waitFor(() => all.every(({ received }) => received.length > 0));

  choosy.crash();
  await publishBets(101, 131);
  await hasAll(healthy.slice(1), 130);
  await choosy.restart();
  await hasAll(healthy, 130);

  await postgres.kill();
  await publishBets(131, 161);
  await waitFor(async () => (await fetch(`${sender.url}/readyz`)).status === 503);
  await postgres.start();
  await hasAll(healthy, 160);
  await waitFor(async () => (await fetch(`${sender.url}/readyz`)).status === 200);

  await publishBets(161, 191);
  await nats.kill();
  await nats.start();
  await publishBets(191, 201);
  await hasAll(healthy, 200);
  const check = () => deliveryCheck({ nc, db, retentionMs: 86_400_000, most: 10 });
  // Whatever each has, or has not: it is delivered, waits or was set aside.
  await waitFor(async () => (await archivedEvents()) === 200);
  expect(await check()).toMatchObject({ verdict: "holds" });

  areMended = true;
  for (const response of hanging) response.destroy();
  await hasAll(all, 200);
  // By the consumers: after a kill nats-server 2.9 may keep messages in the stream that were acknowledged.
  await waitFor(async () => {
    const infos = await Promise.all(
      created.map(({ id }) => jsm.consumers.info("CASINO_RETRY", retryDurable(id))),
    );
    return infos.every((info) => info.num_pending + info.num_ack_pending === 0);
  });
  // Each attempt is recorded before its event is let go, so in the end there is one that did well for each.
  const rows = db
    .selectFrom("deliveries")
    .where("outcome", "=", "delivered")
    .select(["destination_id", "event_id"])
    .distinct();
  await waitFor(async () => (await rows.execute()).length === 200 * all.length);
  expect(await check()).toMatchObject({ verdict: "holds" });
  await sender.stop();
  expect(await sender.exited()).toBe("exit code 0");
});

async function archivedEvents(): Promise<number> {
  const count = db.selectFrom("events").select((of) => of.fn.countAll<string>().as("n"));
  return Number((await count.executeTakeFirstOrThrow()).n);
}
