import { jetstreamManager } from "@nats-io/jetstream";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { finalStage, rawStage, rawSubject, stageStream } from "../internal/jetstream/subjects.ts";
import { type Bench, clear, until } from "./environment.ts";
import { messageOf, perSecond, warmUp } from "./publishing.ts";

/**
 * Events per second from the generator's first publish to the materializer's last fold, all in processes of their own:
 * generator, enrichers with the three steps (validation, rates, Postgres look-ups), materializer.
 */
export async function endToEnd(bench: Bench, count: number, enrichers: number): Promise<number> {
  await clear(bench.nc);
  const services = await Promise.all([
    bench.start("materializer"),
    ...Array.from({ length: enrichers }, () => bench.start("enricher")),
  ]);
  const [materializer] = services;
  const jsm = await jetstreamManager(bench.nc);
  const stored = async () => (await jsm.streams.info(stageStream(finalStage))).state.messages;
  const folded = async () => {
    const answer = await fetch(`${materializer.url}/materialized`);
    const { events_total } = (await answer.json()) as { events_total: number }; // our own answer
    return events_total;
  };
  const generate = (events: number) =>
    bench.run("generator", "--rate", "1000000", "--count", String(events), "--seed", "1");
  const passed = async (events: number) => {
    // The stream is asked first, because an HTTP request costs the materializer as much as a hundred events.
    await until(async () => (await stored()) >= events, `${events} events to be stored`);
    await until(async () => (await folded()) >= events, `${events} events to be folded`);
  };
  await generate(warmUp);
  await passed(warmUp);
  const sub = bench.nc.subscribe(rawSubject("casino"), { max: 1 });
  await bench.nc.flush();
  const generating = generate(count);
  // The clock starts with the first event, not with the generator's start-up.
  for await (const _first of sub) break;
  const started = performance.now();
  await generating;
  await passed(warmUp + count);
  const speed = perSecond(count, started);
  for (const service of services) await service.stop();
  return speed;
}

export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** Milliseconds from publishing a raw event to receiving its final form on core NATS, at a steady rate. */
export async function latency(bench: Bench, rate: number, seconds: number): Promise<Latencies> {
  await clear(bench.nc);
  const enricher = await bench.start("enricher");
  const sentAt = new Map<number, number>();
  const took: number[] = [];
  const first = rate; // the first second meets cold code and an empty memo of rates
  const count = first + rate * seconds;
  bench.nc.subscribe("casino.event.final.casino.*", {
    max: count,
    callback: (_err, msg) => {
      const { id } = msg.json<{ id: number }>();
      took[id - 1] = performance.now() - (sentAt.get(id) ?? Number.NaN);
    },
  });
  const publisher = new Publisher(bench.nc);
  const place = { subject: rawSubject("casino"), source: "latency", stage: rawStage };
  const started = performance.now();
  for (let id = 1; id <= count; id++) {
    const due = started + ((id - 1) / rate) * 1000;
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, 0));
    const event = {
      id,
      player_id: 10,
      game_id: 100,
      type: "bet",
      amount: 500,
      currency: "USD",
      created_at: new Date(),
    };
    sentAt.set(id, performance.now());
    await publisher.room();
    publisher.send(messageOf(place, id, Buffer.from(JSON.stringify(event))), (outcome) => {
      if (outcome instanceof Error) throw outcome;
    });
  }
  await until(async () => took.filter((ms) => ms !== undefined).length === count, "the last events");
  publisher.close();
  await enricher.stop();
  const sorted = took.slice(first).sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), worst: at(1) };
}
