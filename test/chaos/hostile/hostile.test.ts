import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { natsAccount } from "../../../internal/clients/nats-account.ts";
import { tempFolder } from "../../harness/temp-folder.ts";
import type { SenderName } from "../events.ts";
import { attackKinds, attackOf, isFromMallory, mallory } from "./attacks.ts";
import { brokerConfig } from "./broker-config.ts";
import { judge } from "./judge.ts";
import type { Sent } from "./mallory.ts";
import { hostileSummary, hostileTable } from "./report.ts";

const victims: readonly SenderName[] = [
  { client: "casino", source: "one", index: 0 },
  { client: "acme-casino", source: "two", index: 1 },
];
const attacks = Array.from({ length: 1_500 }, (_, i) => attackOf(7, i + 1, victims));

test("she tries every kind of attack, and the same ones for the same seed", () => {
  expect([...new Set(attacks.map(({ kind }) => kind))].sort()).toEqual([...attackKinds].sort());
  expect(attackOf(7, 12, victims)).toEqual(attackOf(7, 12, victims));
  const aimed = attacks.flatMap(({ reply }) => reply ?? []);
  expect(aimed).toEqual(
    expect.arrayContaining([
      "$JS.API.STREAM.PURGE.CASINO_EVENTS",
      "casino.dead.currency.casino",
      "casino.ledger.letter.1",
      "casino.event.final.casino.bet",
      "casino.event.raw.casino",
    ]),
  );
  const forged = new Set(attacks.flatMap(({ headers }) => Object.keys(headers)));
  for (const name of ["Nats-Msg-Id", "Nats-Rollup", "Casino-Accepted", "Casino-Replay", "Casino-Rate"])
    expect(forged).toContain(name);
});

test("each of her events is another one, and has the source and id of a victim's", () => {
  const finals = attacks.flatMap((attack) => attack.finals);
  expect(new Set(finals.map(({ source, id }) => `${source}:${id}`)).size).toBe(finals.length);
  const sources = new Set(victims.map(({ source }) => source));
  expect(finals.every(({ source, id }) => sources.has(source) && id > 1_000_000_000)).toBe(true);
  const [first] = attacks.filter(({ kind }) => kind === "the victim's source and id");
  expect(isFromMallory(String(first?.payload))).toBe(true);
  expect(isFromMallory('{"id":1000000001,"player_id":10,"type":"deposit"}')).toBe(false);
});

test("her account is pasted into nats.conf as the command prints it, with the run's own limit", () => {
  const { config, passwordVariable } = brokerConfig(tempFolder("hostile"), 123_456);
  const text = readFileSync(config, "utf8");
  expect(text).toContain(natsAccount(mallory).exported);
  expect(text).toContain(natsAccount(mallory).account);
  expect(text).toContain("max_file_store: 123456\n");
  expect(passwordVariable).toBe("NATS_PRODUCER_MALLORY_PASSWORD");
});

// 100 US cents at 1.0684 dollars per euro are 94 euro cents.
const valid: Sent = {
  kind: "array, some of it bad",
  finals: [{ source: "one", id: 5, amount: 100 }],
  letters: 2,
  answer: "stored",
  seq: 17,
};
const rows = new Map([["one:5", 94]]);
const letters = new Map([[17, 2]]);

test("what was stored and became what it must is in order", () => {
  expect(judge([valid], { rows, letters })).toEqual({ lost: 0, doubled: 0, wrong: [] });
});

test.each([
  ["a final event is missing", { rows: new Map(), letters }, { lost: 1, doubled: 0 }],
  ["a dead letter is missing", { rows, letters: new Map([[17, 1]]) }, { lost: 1, doubled: 0 }],
  ["a dead letter is there twice", { rows, letters: new Map([[17, 3]]) }, { lost: 0, doubled: 1 }],
  [
    "she has an event that she never sent",
    { rows: new Map([...rows, ["one:6", 1]]), letters },
    { lost: 0, doubled: 1 },
  ],
  ["her own rate was taken", { rows: new Map([["one:5", 1_000_000]]), letters }, { lost: 0, doubled: 0 }],
])("%s: it is found", (_, found, counts) => {
  const findings = judge([valid], found);
  expect(findings).toMatchObject(counts);
  expect(findings.wrong).toHaveLength(1);
});

test("of what was refused or not answered nothing has to be there", () => {
  const unsure = (["refused", "unanswered", "unheard"] as const).map((answer) => ({ ...valid, answer }));
  expect(judge(unsure, { rows: new Map(), letters: new Map() })).toEqual({ lost: 0, doubled: 0, wrong: [] });
});

test("the report counts her messages by kind and by what became of them", () => {
  const result = { sent: [valid, { ...valid, answer: "refused" as const }], finals: 1, letters: 2 };
  expect(hostileSummary([result])).toEqual([
    "The hostile producer sent 2 messages: 1 stored, 1 refused, 0 without an answer, 0 whose answer went elsewhere or that " +
      "were not let through. They became 1 final events of her own and 2 dead letters of her own.",
  ]);
  expect(hostileTable([result])).toContain("| array, some of it bad | 2 | 1 | 1 | 0 | 0 |");
  expect([...hostileSummary([]), ...hostileTable([])]).toEqual([]);
});
