import { describe, expect, test } from "vitest";
import { brokerForTest, connectForTest, defaultLimits } from "../../test/harness/broker.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { ledgerMessage } from "./ledger.ts";
import { claimText, newToken, ReplayClaims } from "./replay-claim.ts";

const { server, nc, jsm } = await brokerForTest();
const { nc: watching } = await connectForTest(server);
await ensureStreams(nc, ["raw"], defaultLimits);

let asked = 0;
watching.subscribe("$JS.API.STREAM.MSG.GET.CASINO_LEDGER", {
  callback: () => {
    asked++;
  },
});
await watching.flush();

/** How many look-ups the ledger had to answer meanwhile. */
async function lookUpsOf(work: () => Promise<unknown>): Promise<number> {
  // Those of the test before may still be on their way.
  await nc.flush();
  await watching.flush();
  const before = asked;
  await work();
  await nc.flush();
  await watching.flush();
  return asked - before;
}

const message = (claim: string, client = "casino") => ({
  subject: `casino.event.raw.${client}`,
  headers: new ReceivedHeaders(`NATS/1.0\r\nCasino-Replay: ${claim}\r\n\r\n`),
});

/** Writes down that a letter is sent again, as `replay` does. */
async function writeDown(letter: number, replays: number, token = newToken()): Promise<string> {
  const of = { letter, id: `1:${letter}:currency:0:dead`, client: "casino", step: "currency" };
  const record = { ...of, message: `CASINO_RAW:${letter}`, accepted: "", by: "test", token, replays };
  const { subject, payload } = ledgerMessage({ kind: "replaying", ...record });
  await nc.request(subject, payload);
  return claimText(letter, token);
}

describe("claims of a replay", () => {
  test("of one client about one letter share a look-up, and each has an answer of its own", async () => {
    const claims = new ReplayClaims(nc);
    const truth = await writeDown(1, 3);
    const made = Array.from({ length: 500 }, () => message(claimText(1, newToken())));
    const count = await lookUpsOf(async () => {
      const answers = await Promise.all([...made, message(truth)].map((it) => claims.replaysOf(it)));
      expect(answers).toEqual([...made.map(() => undefined), "3"]);
    });
    expect(count).toBe(1);
  });

  test("that come again are not looked up again, true or not; those of another client are", async () => {
    const claims = new ReplayClaims(nc);
    const [truth, lie] = [await writeDown(2, 1), claimText(2, newToken())];
    const all = async () => [
      await claims.replaysOf(message(truth)),
      await claims.replaysOf(message(lie)),
      await claims.replaysOf(message(truth, "acme")),
    ];
    expect(await lookUpsOf(async () => expect(await all()).toEqual(["1", undefined, undefined]))).toBe(3);
    expect(await lookUpsOf(async () => expect(await all()).toEqual(["1", undefined, undefined]))).toBe(0);
  });

  test("are believed although made-up ones of the same letter were looked up before and meanwhile", async () => {
    const claims = new ReplayClaims(nc);
    const lie = () => claims.replaysOf(message(claimText(3, newToken())));
    expect(await lie()).toBeUndefined();
    // Under way from before the record is written.
    const meanwhile = lie();
    await Promise.resolve();
    const truth = await writeDown(3, 2);
    expect(await claims.replaysOf(message(truth))).toBe("2");
    expect(await meanwhile).toBeUndefined();
  });

  test("that nobody could look up are looked up the next time", async () => {
    const claims = new ReplayClaims(nc);
    const token = newToken();
    await jsm.streams.delete("CASINO_LEDGER");
    await expect(claims.replaysOf(message(claimText(4, token)))).rejects.toThrow(
      "CASINO_LEDGER does not exist",
    );
    await ensureStreams(nc, ["raw"], defaultLimits);
    const truth = await writeDown(4, 1, token);
    expect(await claims.replaysOf(message(truth))).toBe("1");
  });

  test("beyond what is remembered are looked up anew, and the newest are not", async () => {
    const claims = new ReplayClaims(nc);
    const made = Array.from({ length: 1_025 }, (_, i) => message(claimText(1_000 + i, newToken())));
    const count = await lookUpsOf(() => Promise.all(made.map((it) => claims.replaysOf(it))));
    expect(count).toBe(1_025);
    const [oldest, second] = made;
    if (oldest === undefined || second === undefined) throw new Error("there are more");
    expect(await lookUpsOf(() => claims.replaysOf(second))).toBe(0);
    expect(await lookUpsOf(() => claims.replaysOf(oldest))).toBe(1);
  });

  test("of no known form cost no look-up, and past the first stage the pipeline's own header counts", async () => {
    const claims = new ReplayClaims(nc);
    const inner = {
      subject: "casino.event.priced.casino.bet",
      headers: new ReceivedHeaders("NATS/1.0\r\nCasino-Replays: 4\r\nCasino-Replay: 1:x\r\n\r\n"),
    };
    const count = await lookUpsOf(async () => {
      for (const claim of ["1:short", "0:".padEnd(34, "a"), "9".repeat(40), "x"])
        expect(await claims.replaysOf(message(claim))).toBeUndefined();
      expect(await claims.replaysOf(inner)).toBe("4");
    });
    expect(count).toBe(0);
  });
});
