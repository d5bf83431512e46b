import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { mayBundle } from "../internal/jetstream/topology.ts";
import { EventBatchSchema, EventSchema } from "../internal/protobuf/event_pb.ts";
import { natsVersions } from "./harness/locked-broker.ts";
import { emptyQueues, keyForTest, pipelineForTest } from "./harness/pipeline.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";

// Whatever form many events come in, each is final once; where the broker allows it they travel together.

const deposit = (id: number) => ({
  id,
  player_id: 12,
  type: "deposit",
  amount: 10_000,
  currency: "EUR",
  created_at: "2022-03-03T12:12:00Z",
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const eventBatch = (ids: readonly number[]) =>
  Buffer.from(
    toBinary(
      EventBatchSchema,
      create(EventBatchSchema, {
        events: ids.map((id) =>
          create(EventSchema, {
            id: BigInt(id),
            playerId: 12n,
            type: "deposit",
            amount: 10_000n,
            currency: "EUR",
            createdAt: { seconds: 1_646_309_520n, nanos: 0 },
          }),
        ),
      }),
    ),
  );

describe.each(await natsVersions())("on nats-server $version", ({ version, binary }) => {
  test("events that came together over HTTP and from the generator are final once each", {
    timeout: 120_000,
  }, async () => {
    const { jsm, env } = await pipelineForTest({ binary });
    const services = { ...env, BUNDLES: "on" };
    const [gateway] = await Promise.all([
      serviceForTest("gateway", services),
      serviceForTest("enricher", services),
    ]);
    const authorization = `Bearer ${await keyForTest("casino", "door", env)}`;
    const post = async (type: string, body: string | Buffer): Promise<number> => {
      const headers = { authorization, "content-type": type };
      const response = await fetch(`${gateway.url}/events`, { method: "POST", headers, body });
      expect([202, 207]).toContain(response.status);
      const { accepted } = (await response.json()) as { readonly accepted: number }; // what the API answers
      return accepted;
    };
    const array = (ids: readonly number[]) => JSON.stringify([...ids.map(deposit), { id: 1 }], null, 1);
    const lines = (ids: readonly number[]) =>
      `{}\n\n${ids.map((id) => JSON.stringify(deposit(id))).join("\r\n")}\n`;
    const accepted = await Promise.all([
      post("application/json", array(range(1, 900))),
      post("application/x-ndjson", lines(range(901, 3_900))),
      post("application/x-protobuf", eventBatch(range(3_901, 4_500))),
      ...range(4_501, 4_600).map((id) => post("application/json", JSON.stringify(deposit(id)))),
      runForTest("generator", ["--rate", "100000", "--count", "1050", "--batch", "100"], env).then(
        () => 1_050,
      ),
    ]);
    const total = accepted.reduce((sum, count) => sum + count, 0);
    expect(total).toBe(4_600 + 1_050);

    await emptyQueues(jsm);
    const messages = async (name: string) => (await jsm.streams.info(name)).state;
    expect((await messages("CASINO_EVENTS")).messages).toBe(total);
    expect((await messages("CASINO_DEAD")).messages).toBe(0);
    const ids = await finalIds("door");
    expect(ids.toSorted((a, b) => a - b)).toEqual(range(1, 4_600));
    const { last_seq } = await messages("CASINO_RAW");
    const ofGenerator = 11;
    if (mayBundle("on", version)) expect(last_seq).toBeLessThan(500);
    else expect(last_seq).toBe(4_600 + ofGenerator);

    async function finalIds(source: string): Promise<readonly number[]> {
      const found: number[] = [];
      const { last_seq } = await messages("CASINO_EVENTS");
      for (let seq = 1; seq <= last_seq; seq++) {
        const message = await jsm.streams.getMessage("CASINO_EVENTS", { seq });
        if (message?.header.get("Casino-Source") === source) found.push(message.json<{ id: number }>().id);
      }
      return found;
    }
  });
});
