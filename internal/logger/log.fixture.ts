import { beforeEach } from "vitest";
import { brokerForTest, defaultLimits } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";

const line = (id: number) => `{"id":${id},"description":"${"€".repeat(80)} \\n ${id}"}`;
/** What the logger writes of the events with these ids. */
export const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${line(from + index)}\n`).join("");
/** The ids in whole lines. */
export const idsOf = (written: string) =>
  written
    .split("\n")
    .slice(0, -1)
    .map((text): number => JSON.parse(text).id);
export const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/** A broker for one test file, on which each test has an empty log. */
export async function logForTest() {
  const { server, nc, jsm } = await brokerForTest();
  const publisher = new Publisher(nc);
  beforeEach(async () => {
    await server.start();
    await waitFor(() => nc.rtt());
    await jsm.streams.delete("CASINO_EVENTS").catch(() => undefined);
    await ensureStreams(nc, ["final"], defaultLimits);
  });

  /** Puts events with these ids into the stream, as texts of about 300 bytes; any text will do for the logger. */
  async function publish(from: number, to: number): Promise<void> {
    const ids = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    await Promise.all(
      ids.map((id) =>
        publisher.publish({
          subject: "casino.event.final.casino.bet",
          payload: Buffer.from(line(id)),
          headers: new OutgoingHeaders().add("Nats-Msg-Id", `casino:test:${id}:final`),
        }),
      ),
    );
  }

  const consumer = () => jsm.consumers.info("CASINO_EVENTS", "logger");
  const acknowledged = async () => (await consumer()).ack_floor.stream_seq;
  const settled = async () => {
    const { num_pending, num_ack_pending } = await consumer();
    return num_pending === 0 && num_ack_pending === 0;
  };
  return { server, nc, publish, consumer, acknowledged, settled };
}
