import { isDeepStrictEqual } from "node:util";
import type { MsgHdrs } from "nats";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import type { Delivery } from "../internal/jetstream/delivery.ts";
import { Mailbox } from "../internal/jetstream/mailbox.ts";
import { acceptedHeader, parseAccepted } from "../internal/messages/accepted.ts";
import { readCopies } from "../internal/messages/copies.ts";
import { type Expectation, expectationsOf, flawOf } from "./fuzz/expectation.ts";
import { type FuzzMessage, fuzzMessages } from "./fuzz/messages.ts";
import { silent } from "./harness/broker.ts";
import { emptyQueues, keyForTest, pipelineForTest } from "./harness/pipeline.ts";
import { serviceForTest } from "./harness/service.ts";
import { waitFor } from "./harness/wait-for.ts";

/** More of them, and others, for a longer run. */
const count = Number(process.env.FUZZ_MESSAGES ?? 10_000);
const seed = Number(process.env.FUZZ_SEED ?? 1);
/** As many requests over HTTP for each message on NATS. */
const shareOverHttp = 0.1;

const { nc, jsm, env: servers } = await pipelineForTest();
// The fuzzed dates are of any year.
const env = { ...servers, RATE_LIMIT: "1000000", EVENT_MAX_AHEAD: "off" };
const db = new pg.Client({ connectionString: env.DATABASE_URL });
await db.connect();
afterAll(() => db.end());
await db.query("insert into event_types (name) values ('anything')");
await db.query(`insert into event_type_schemas (type, schema) values ('anything', '{"type":"object"}')`);

test(`seed ${seed}: each event of ${count} fuzzed messages is a valid final event or one dead letter, and nothing dies`, {
  timeout: 120_000 + count * 10,
}, async () => {
  const names = ["enricher", "gateway", "archiver", "materializer", "logger"];
  const services = await Promise.all(names.map((name) => serviceForTest(name, env)));
  const [, gateway, , materializer, logger] = services;
  const messages = fuzzMessages(seed, count);
  const accepted = await publishAll(messages);
  const overHttp = await postAll(
    gateway?.url ?? "",
    fuzzMessages(seed + 1, Math.round(count * shareOverHttp)),
  );

  await emptyQueues(jsm, 60_000 + count * 5);
  const finals = await read("CASINO_EVENTS", "casino.event.final.*.*");
  const letters = await read("CASINO_DEAD", "casino.dead.*.*");
  const copies = (await read("CASINO_COPIES", "casino.copies.*")).flatMap(({ data }) =>
    [...readCopies(data)].map(({ accepted }) => accepted),
  );

  /** What became of the events of each message, by its number. */
  const outcomes = new Map<number, Outcome[]>();
  const add = (text: string, what: What) => {
    const { number = 0, line = 1, lines = 1 } = parseAccepted(text) ?? {};
    outcomes.set(number, [...(outcomes.get(number) ?? []), { line, lines, ...what }]);
  };
  for (const delivery of finals) add(delivery.headers.get(acceptedHeader), { final: delivery });
  for (const delivery of letters) add(delivery.headers.get(acceptedHeader), { letter: delivery });
  for (const text of copies) add(text, { copy: true });

  const wrong: string[] = [];
  for (const [number, message] of accepted) {
    const complaint = complaintAbout(message, outcomes.get(number) ?? []);
    if (complaint !== undefined) wrong.push(`${complaint}: ${described(message)}`);
  }
  expect(wrong.slice(0, 5)).toEqual([]);
  // What came over HTTP is among them too: all in all there is exactly one outcome for each accepted event.
  const others = [...outcomes].filter(([number]) => !accepted.has(number)).map(([, events]) => events);
  expect(others.flatMap((events) => countingFlaw(events) ?? [])).toEqual([]);
  expect(others.flat()).toHaveLength(overHttp);

  // Whoever reads final events could read each of them.
  await waitFor(
    async () => Number((await db.query("select count(*) from events")).rows[0].count) === finals.length,
  );
  expect(letters.filter((letter) => letter.headers.get("Casino-Dead-Step") === "archiver")).toEqual([]);
  await waitFor(() => logger?.output().split("\n").length === finals.length + 1);
  const figures = await (await fetch(`${materializer?.url}/materialized`)).json();
  expect(figures).toMatchObject({ events_total: finals.length });

  for (const [index, service] of services.entries()) {
    expect(service.errors(), names[index]).not.toMatch(/"level":"(error|fatal)"|this is a bug/);
    await service.stop();
    expect(await service.exited(), names[index]).toBe("exit code 0");
  }
});

interface What {
  readonly final?: Delivery;
  readonly letter?: Delivery;
  /** The stream had the event already. */
  readonly copy?: true;
}

interface Outcome extends What {
  /** Which event of its message it is, of how many. */
  readonly line: number;
  readonly lines: number;
}

/** Publishes them; those that the stream took, by their sequence there. */
async function publishAll(messages: readonly FuzzMessage[]): Promise<ReadonlyMap<number, FuzzMessage>> {
  const accepted = new Map<number, FuzzMessage>();
  let answered = 0;
  const inbox = "_INBOX.fuzz";
  const subscription = nc.subscribe(`${inbox}.*`, {
    callback: (_err, msg) => {
      const message = messages[Number(msg.subject.slice(inbox.length + 1))];
      const { seq, error } = msg.json<{ seq?: number; error?: unknown }>();
      if (seq !== undefined && error === undefined && message !== undefined) accepted.set(seq, message);
      answered++;
    },
  });
  for (const [index, { envelope, headers, payload }] of messages.entries()) {
    const subject = `casino.event.raw.${envelope.client}`;
    const reply = `${inbox}.${index}`;
    // The client asks nothing of headers but their bytes.
    const given = headers === undefined ? {} : { headers: { encode: () => headers } as unknown as MsgHdrs };
    nc.publish(subject, payload, { reply, ...given });
    if (index % 500 === 499) await nc.flush();
  }
  await waitFor(() => answered === messages.length, { what: "all PubAcks" });
  subscription.unsubscribe();
  expect(accepted.size).toBeGreaterThan(messages.length * 0.95);
  return accepted;
}

/** Posts their payloads, one or many in a request; how many events were accepted. */
async function postAll(gateway: string, messages: readonly FuzzMessage[]): Promise<number> {
  const key = await keyForTest("casino", "fuzz", env);
  const types = ["application/json", "application/x-ndjson", "application/x-protobuf", "text/plain"];
  let sum = 0;
  let next = 0;
  const post = async (): Promise<void> => {
    for (let index = next++; index < messages.length; index = next++) {
      const { payload } = messages[index] as FuzzMessage; // below the length
      const type = types[index % 10] ?? "application/json";
      const headers = { authorization: `Bearer ${key}`, "content-type": type };
      const answer = await fetch(`${gateway}/events`, {
        method: "POST",
        headers,
        body: Buffer.from(payload),
      });
      expect(answer.status, Buffer.from(payload).toString("base64")).toBeLessThan(500);
      const { accepted = 0 } = (await answer.json()) as { accepted?: number }; // our own answer
      sum += accepted;
    }
  };
  await Promise.all(Array.from({ length: 16 }, post));
  expect(sum).toBeGreaterThan(0);
  return sum;
}

/** All that a stream holds. */
async function read(stream: string, filter: string): Promise<readonly Delivery[]> {
  const info = await jsm.streams.info(stream, { subjects_filter: filter });
  const held = Object.values(info.state.subjects ?? {}).reduce((sum, many) => sum + many, 0);
  const durable = { stream, name: "fuzz", filter, maxAckPending: held + 1 };
  const mailbox = await Mailbox.open(nc, {
    durable,
    log: silent,
    capacity: held + 256,
    capacityBytes: 2 ** 31,
  });
  const all: Delivery[] = [];
  while (all.length < held) all.push(...((await mailbox.take()) ?? []));
  for (const delivery of all) mailbox.ack(delivery);
  await mailbox.stop();
  mailbox.close();
  return all;
}

/** What is wrong with what became of the events of a message, undefined when nothing is. */
function complaintAbout(message: FuzzMessage, outcomes: readonly Outcome[]): string | undefined {
  const flaw = countingFlaw(outcomes);
  if (flaw !== undefined) return flaw;
  const expected = expectationsOf(message.envelope, message.payload);
  if (expected !== undefined && expected.length !== outcomes.length)
    return `of ${expected.length} events ${outcomes.length} came out`;
  for (const outcome of outcomes) {
    const complaint = complaintAboutEvent(message, outcome, expected?.[outcome.line - 1] ?? either);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

const either: Expectation = { outcome: "either" };

/** Of a message each event has to come out, and once. */
function countingFlaw(outcomes: readonly Outcome[]): string | undefined {
  const [first] = outcomes;
  if (first === undefined) return "nothing came out";
  const seen = outcomes.map(({ line, lines }) => `${line}/${lines}`).sort();
  const due = Array.from({ length: first.lines }, (_, index) => `${index + 1}/${first.lines}`).sort();
  return isDeepStrictEqual(seen, due) ? undefined : `of ${first.lines} events these came out: ${seen}`;
}

function complaintAboutEvent(
  message: FuzzMessage,
  { copy, final, letter }: Outcome,
  expected: Expectation,
): string | undefined {
  const { source } = message.envelope;
  // Only what names no source of its own can be a copy of another, or has another one of its id beside it.
  if (copy)
    return source === "" || source === undefined || expected.outcome !== "dead"
      ? undefined
      : "taken for a copy";
  if (final !== undefined) return complaintAboutFinal(final, expected);
  return letter && complaintAboutLetter(letter, message, expected);
}

function complaintAboutFinal({ data }: Delivery, expected: Expectation): string | undefined {
  const flaw = flawOf(data);
  if (flaw !== undefined) return `the final event is none, ${flaw}`;
  if (expected.outcome === "dead") return `it should be dead, ${expected.reason}`;
  if (expected.outcome === "either") return undefined;
  const event = JSON.parse(Buffer.from(data).toString());
  const differs = Object.entries(expected.facts).find(([key, fact]) => !isDeepStrictEqual(event[key], fact));
  return differs && `${differs[0]} should be ${JSON.stringify(differs[1])}`;
}

function complaintAboutLetter(
  letter: Delivery,
  message: FuzzMessage,
  expected: Expectation,
): string | undefined {
  const reason = letter.headers.get("Casino-Dead-Reason");
  const step = letter.headers.get("Casino-Dead-Step");
  if (expected.outcome === "final") return `it should be final, not dead (${reason})`;
  if (expected.outcome === "dead" && reason !== expected.reason)
    return `it should be dead for ${expected.reason}, not ${reason}`;
  // A later step sets aside what the one before it made of the event.
  const { payload, envelope } = message;
  const isOneOfSeveral =
    /^\s*\[/.test(Buffer.from(payload).toString()) || /ndjson|protobuf/i.test(envelope.contentType);
  const has =
    Buffer.compare(letter.data, payload) === 0 ||
    (isOneOfSeveral && Buffer.from(payload).includes(letter.data));
  if (step === "currency" && !has) return "the letter has other bytes";
  return undefined;
}

/** Enough to put it into the corpus. */
function described({ envelope, headers, payload }: FuzzMessage): string {
  const inBase64 = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64");
  return JSON.stringify({
    ...envelope,
    text: Buffer.from(payload).toString().slice(0, 500),
    payload: inBase64(payload).slice(0, 5_000),
    headers: inBase64(headers).slice(0, 500),
  });
}
