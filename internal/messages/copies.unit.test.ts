import { expect, test } from "vitest";
import { type Copy, copiesMessage, readCopies } from "./copies.ts";

const copy = (number: number, id: number, copyOf: number): Copy => ({
  accepted: `${number} 1641817000123`,
  event: `casino:web:${id}`,
  copyOf,
});
const rangesIn = (copies: readonly Copy[]): readonly object[] =>
  JSON.parse(String(copiesMessage("description", "CASINO_EVENTS", copies).payload)).copies;
const backAndForth = (copies: readonly Copy[]) => [
  ...readCopies(Buffer.from(copiesMessage("description", "CASINO_EVENTS", copies).payload)),
];

test("what was sent again in its order is one range", () => {
  const copies = Array.from({ length: 1_000 }, (_, index) => copy(5_000 + index, 1 + index, 40 + index));
  expect(rangesIn(copies)).toEqual([{ ...copy(5_000, 1, 40), count: 1_000 }]);
  expect(backAndForth(copies)).toEqual(copies);
});

test("lines of one message are a range too", () => {
  const copies = [2, 3, 4].map((line) => ({ ...copy(9, line, line), accepted: `9.${line}/5 1` }));
  expect(rangesIn(copies)).toHaveLength(1);
  expect(backAndForth(copies)).toEqual(copies);
});

test("where number, id or place do not follow, a new range begins", () => {
  const copies = [
    copy(1, 1, 1),
    copy(3, 2, 2),
    copy(4, 7, 3),
    copy(5, 8, 9),
    { ...copy(6, 9, 10), event: "casino:crm:9" },
    { ...copy(7, 10, 11), accepted: "" },
    copy(8, 11, 12),
  ];
  expect(rangesIn(copies)).toHaveLength(copies.length);
  expect(backAndForth(copies)).toEqual(copies);
});

test("one of an original that had no sequence yet is read: older versions wrote it on nats-server 2.10", () => {
  expect(backAndForth([copy(3, 1, 0)])).toEqual([copy(3, 1, 0)]);
});

test.each([
  "",
  "nonsense",
  "null",
  '{"copies":5}',
  '{"copies":[{"accepted":"1 1","event":"a:b:1"}]}',
  '{"copies":[{"accepted":"1 1","event":"a:b:1","copyOf":1,"count":9007199254740991}]}',
])("%j tells of none", (text) => expect([...readCopies(Buffer.from(text))]).toEqual([]));
