import { afterEach, describe, expect, test } from "vitest";
import { rawSender, silent, workerForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { deadLetter, forward, type Outcome } from "../actor/step.ts";
import { StepRun } from "../actor/step-run.ts";
import { decodeEnriched, decodeRaw } from "../casino/decode.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { Unavailable } from "../service/unavailable.ts";
import { forEachLetter } from "./bulk.ts";
import { gameStart, setAside } from "./letters.fixture.ts";
import { lettersForTest } from "./replay.fixture.ts";
import { replay } from "./replay.ts";
import { LetterStore } from "./store.ts";

const { count, jsm, letterOf, nc, options, publisher, refusingLedger, stateOf, store } =
  await lettersForTest();

const worker = workerForTest();
const runs: StepRun[] = [];

// Runs before the hook of the fixture, which takes the streams away.
afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.stop()));
});

type Rule = (id: number) => Outcome | undefined;
const passes: Rule = () => undefined;

/** A pipeline of two steps, each of which refuses what its rule says. */
async function pipeline(first: Rule, second: Rule = passes): Promise<void> {
  for (const [name, takesFrom, forwardsTo, rule] of [
    ["first", "raw", "checked", first],
    ["second", "checked", "final", second],
  ] as const)
    runs.push(
      await StepRun.start({
        step: {
          name,
          forwardsTo,
          enrich: async (batch) => batch.map(({ event }) => rule(event.id) ?? forward(event)),
        },
        takesFrom,
        decode: (event) => (takesFrom === "raw" ? decodeRaw : decodeEnriched)(bytesOf(event)),
        nc,
        publisher,
        worker,
        replicas: 1,
        log: silent,
      }),
    );
}

const send = rawSender(publisher);

const queuesEmpty = async () => (await count("CASINO_RAW")) === 0 && (await count("CASINO_CHECKED")) === 0;

const refuseOnce = (): { rule: Rule; mended: () => void } => {
  let broken = true;
  return {
    rule: () => (broken ? deadLetter("unsupported_currency", "/currency is not in use") : undefined),
    mended: () => {
      broken = false;
    },
  };
};

describe("a replay", () => {
  test("of what was mended goes through, once, with client, source, id and trace as they were", async () => {
    const { rule, mended } = refuseOnce();
    await pipeline(rule);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await send(gameStart(7), { "Casino-Source": "crm", traceparent });
    const letter = await letterOf(1);
    mended();
    expect(await replay(letter, options)).toEqual({
      seq: 1,
      outcome: "replayed",
      subject: "casino.event.raw.casino",
      replays: 1,
    });
    await waitFor(async () => (await count("CASINO_EVENTS")) === 1);
    const final = await jsm.streams.getMessage("CASINO_EVENTS", { seq: 1 });
    expect(final?.header.get("Nats-Msg-Id")).toBe("casino:crm:7:final");
    expect(final?.header.get("Casino-Source")).toBe("crm");
    expect(final?.header.get("traceparent")).toBe(traceparent);
    expect(final?.header.get("Casino-Replays")).toBe("1");
    expect(await count("CASINO_DEAD")).toBe(0);
    expect(await store.read(1)).toBeUndefined();
  });

  test("of what fails again comes back with its count", async () => {
    const { rule, mended } = refuseOnce();
    await pipeline(rule);
    await send(gameStart(8));
    expect(await letterOf(1)).toMatchObject({ replays: 0, reason: "unsupported_currency" });
    await replay(await letterOf(1), options);
    expect(await letterOf(2)).toMatchObject({ replays: 1, failedOn: "casino.event.raw.casino" });
    await replay(await letterOf(2), options);
    expect(await letterOf(3)).toMatchObject({ replays: 2, step: "first", client: "casino" });
    mended();
    await replay(await letterOf(3), options);
    await waitFor(async () => (await count("CASINO_EVENTS")) === 1);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("keeps its count when a later step is the one to refuse it", async () => {
    const { rule, mended } = refuseOnce();
    const later = refuseOnce();
    await pipeline(rule, later.rule);
    await send(gameStart(9));
    const letter = await letterOf(1);
    mended();
    await replay(letter, options);
    const next = await letterOf(2);
    expect(next).toMatchObject({
      step: "second",
      replays: 1,
      failedOn: "casino.event.checked.casino.game_start",
    });
    later.mended();
    await replay(next, options);
    await waitFor(async () => (await count("CASINO_EVENTS")) === 1);
  });

  test("of two at once to a later stage sends it once; to the first stage it is final once", async () => {
    await pipeline(passes);
    for (const failedOn of ["casino.event.checked.casino.game_start", "casino.event.raw.casino"]) {
      const letter = await letterOf(await setAside(publisher, { failedOn, payload: gameStart(10) }));
      const outcomes = (await Promise.all([replay(letter, options), replay(letter, options)])).map(
        (it) => it.outcome,
      );
      if (failedOn.includes("checked")) expect(outcomes.toSorted()).toEqual(["already replayed", "replayed"]);
      else expect(outcomes).toContain("replayed");
      await waitFor(async () => (await count("CASINO_EVENTS")) === 1 && (await queuesEmpty()));
      expect(await count("CASINO_DEAD")).toBe(0);
    }
  });

  test("counts what the ledger says, whatever a producer writes", async () => {
    const { rule } = refuseOnce();
    await pipeline(rule);
    await send(gameStart(20));
    await replay(await letterOf(1), options);
    expect(await letterOf(2)).toMatchObject({ replays: 1 });
    const claim = (await letterOf(2)).headers.get("Casino-Replay");
    expect(claim).toBe("");
    const record = (await jsm.streams.getMessage("CASINO_LEDGER", { seq: 1 }))?.json<{ token: string }>();
    const forged = { "Casino-Replays": "7", "Casino-Replay": `1:${record?.token.replace(/^./, "x")}` };
    await send(gameStart(21), forged);
    expect(await letterOf(3)).toMatchObject({ replays: 0 });
    await send(gameStart(22), { "Casino-Replays": "7" });
    expect(await letterOf(4)).toMatchObject({ replays: 0 });
    // Of another client's replay not even the token helps.
    const stolen = { "Casino-Replays": "7", "Casino-Replay": `1:${record?.token}` };
    await send(gameStart(23), stolen, "acme");
    expect(await letterOf(5)).toMatchObject({ client: "acme", replays: 0 });
  });

  test("cut off before the letter is removed sends nothing when it is done again", async () => {
    await setAside(publisher, { payload: gameStart(11) });
    const broken = new (class extends LetterStore {
      override async remove(): Promise<boolean> {
        throw new Unavailable("NATS is away");
      }
    })(nc);
    const cutOff = replay(await letterOf(1), { ...options, store: broken });
    await expect(cutOff).rejects.toThrow("Dead letter 1 was sent again, but could not be removed");
    expect(await count("CASINO_DEAD")).toBe(1);
    expect(await replay(await letterOf(1), options)).toMatchObject({
      outcome: "already replayed",
      replays: 1,
    });
    expect((await stateOf("CASINO_RAW")).last_seq).toBe(1);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("is written into the ledger before the letter goes, with the message it was and the one it became", async () => {
    const { rule, mended } = refuseOnce();
    await pipeline(passes, rule);
    await send(gameStart(19), { "Casino-Source": "crm" });
    const letter = await letterOf(1);
    mended();
    const full = { ...options, publish: refusingLedger };
    await expect(replay(letter, full)).rejects.toThrow(
      "Dead letter 1 was not sent again: the ledger is full.",
    );
    expect(await count("CASINO_DEAD")).toBe(1);
    await replay(letter, options);
    const [before, after] = [
      await jsm.streams.getMessage("CASINO_LEDGER", { seq: 1 }),
      await jsm.streams.getMessage("CASINO_LEDGER", { seq: 2 }),
    ];
    expect(before?.subject).toBe("casino.ledger.letter.1");
    const record = {
      kind: "replaying",
      id: expect.stringMatching(/^\d{13}:1:second:0:dead$/),
      client: "casino",
      step: "second",
      message: "CASINO_CHECKED:1",
      accepted: expect.stringMatching(/^1 \d{13}$/),
      by: "test",
      token: expect.stringMatching(/^[0-9a-f]{32}$/),
      replays: 1,
    };
    expect(before?.json()).toEqual(record);
    expect(after?.json()).toEqual({
      ...record,
      kind: "replayed",
      token: before?.json<{ token: string }>().token,
      storedAs: "CASINO_CHECKED:2",
    });
  });

  test("leaves the letter where it is while the stream is full", async () => {
    await jsm.streams.update("CASINO_RAW", { max_msgs: 1 });
    await send(gameStart(12));
    await setAside(publisher, { payload: gameStart(13) });
    const refused = replay(await letterOf(1), options);
    await expect(refused).rejects.toThrow("Dead letter 1 was not sent again: the stream it goes to is full.");
    await expect(refused).rejects.toBeInstanceOf(Unavailable);
    expect(await count("CASINO_DEAD")).toBe(1);
  });

  test("carries an edited payload under the same id", async () => {
    await pipeline(passes);
    await send(gameStart(14, { player_id: "ten" }), { "Casino-Source": "crm" });
    const letter = await letterOf(1);
    expect(letter.error).toBe("/player_id must be integer");
    await replay(letter, options, Buffer.from(gameStart(14, { player_id: 11 })));
    await waitFor(async () => (await count("CASINO_EVENTS")) === 1);
    const final = await jsm.streams.getMessage("CASINO_EVENTS", { seq: 1 });
    expect(final?.json()).toMatchObject({ id: 14, player_id: 11 });
    expect(final?.header.get("Nats-Msg-Id")).toBe("casino:crm:14:final");
  });

  test("of all takes the letters that were there at the start, none twice, the filtered ones only", async () => {
    await pipeline((id) => (id <= 100 ? deadLetter("unknown_type", "/type must be known") : undefined));
    for (let id = 1; id <= 100; id++) await send(gameStart(id));
    await send("nonsense");
    await waitFor(async () => (await count("CASINO_DEAD")) === 101 && (await queuesEmpty()));
    const { begun, more } = await forEachLetter(store, { reason: "unknown_type" }, async ({ seq }) => {
      await replay(await letterOf(seq), options);
    });
    expect({ begun, more }).toEqual({ begun: 100, more: false });
    await waitFor(async () => (await stateOf("CASINO_DEAD")).last_seq === 201);
    const replays: number[] = [];
    for await (const head of store.scan({}, await store.range())) replays.push(head.replays);
    expect(replays).toEqual([0, ...Array(100).fill(1)]);
    expect((await stateOf("CASINO_RAW")).last_seq).toBe(201);
  });
});
