import { expect, test } from "vitest";
import { idOf, type SenderName } from "./events.ts";
import { Ledger } from "./ledger.ts";

const sender: SenderName = { client: "casino", source: "one", index: 0 };
const other: SenderName = { client: "casino", source: "two", index: 1 };

function ledgerWith(events: number): Ledger {
  const ledger = new Ledger([sender, other]);
  for (let n = 1; n <= events; n++) {
    ledger.begin(sender, n);
    ledger.accept(sender, n);
  }
  return ledger;
}

test("counts each event once, however often it is accepted or printed", () => {
  const ledger = ledgerWith(10_000);
  ledger.accept(sender, 1);
  for (const n of [1, 2, 2, 10_000]) ledger.log(idOf(sender, n));
  expect([ledger.accepted, ledger.logged, ledger.loggedAgain]).toEqual([10_000, 3, 1]);
});

test("what is outstanding dwindles as it is printed; what is accepted later does not count", () => {
  const ledger = ledgerWith(5);
  ledger.log(idOf(sender, 1));
  const outstanding = ledger.outstanding();
  expect(outstanding.left).toBe(4);
  ledger.begin(other, 1);
  ledger.accept(other, 1);
  ledger.log(idOf(other, 1));
  for (const n of [2, 3, 3, 4]) ledger.log(idOf(sender, n));
  expect(outstanding.left).toBe(1);
  expect(ledger.outstanding().left).toBe(1);
});

test("a line of an event that nobody has sent is complained of", () => {
  const ledger = ledgerWith(1);
  for (const id of [idOf(sender, 2), idOf({ ...sender, index: 7 }, 1), 12, Number.NaN]) ledger.log(id);
  expect(ledger.complaints).toHaveLength(4);
  expect(ledger.logged).toBe(0);
});
