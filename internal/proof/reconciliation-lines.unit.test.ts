import { describe, expect, test } from "vitest";
import { accepted, created, final, letter, open, removal } from "./reconciliation.examples.ts";
import type { Reconciliation } from "./reconciliation.ts";

describe("an event of a message that carried several", () => {
  const line = (at: number, lines = 3) => `1.${at}/${lines} ${created + 1}`;
  const lost = (fill: (reconciliation: Reconciliation) => void) => {
    const reconciliation = open(1);
    fill(reconciliation);
    const { sum, lost } = reconciliation.close(1);
    return {
      known: Object.values(sum.counts).reduce((all, one) => all + one),
      lost: lost.first,
      reconciliation,
    };
  };

  test("is known by its line: as a final event, a letter, a copy and a record of the ledger", () => {
    const found = lost((it) => {
      it.final(final(1, { accepted: { number: 1, line: 1, lines: 6, at: created + 1 } }));
      it.letter(letter({ message: "CASINO_RAW:1", accepted: line(2, 6) }));
      it.copy({ accepted: line(3, 6), event: "casino:test:1", copyOf: 1 });
      it.record({ kind: "discarded", ...removal, message: "CASINO_APART:7", accepted: line(4, 6) }, 1);
      it.record({ kind: "replayed", ...removal, accepted: line(5, 6), storedAs: "CASINO_RAW:2" }, 1);
    });
    expect(found).toMatchObject({ known: 5, lost: ["CASINO_RAW 1.6/6"] });
  });

  test("is where its message as a whole is, and the letter of that is one for all of them", () => {
    expect(lost((it) => it.letter(letter({ message: "CASINO_RAW:1", accepted: accepted(1) })))).toMatchObject(
      {
        known: 1,
        lost: [],
      },
    );
    const found = lost((it) => {
      it.waitingAtFirst(1);
      it.final(final(1, { accepted: { number: 1, line: 2, lines: 3, at: created + 1 } }));
    });
    expect(found).toMatchObject({ known: 3, lost: [] });
  });

  test("is in a bundle that nobody could read, whose letter lists it", () => {
    const found = lost((it) =>
      it.letter(letter({ message: "CASINO_PRICED:7", accepted: "1.1-2/3", replays: 0 })),
    );
    expect(found).toMatchObject({ known: 2, lost: ["CASINO_RAW 1.3/3"] });
  });

  test("that says of another how many there are is a stranger", () => {
    const { reconciliation, lost: names } = lost((it) => {
      it.final(final(1, { accepted: { number: 1, line: 1, lines: 2, at: created + 1 } }));
      it.final(final(2, { accepted: { number: 1, line: 2, lines: 3, at: created + 1 } }));
      it.letter(letter({ seq: 4, message: "CASINO_RAW:1", accepted: line(2) }));
    });
    expect(reconciliation.strangers.first).toEqual(["casino:test:2 (CASINO_EVENTS 2)", "CASINO_DEAD 4"]);
    expect(names).toEqual(["CASINO_RAW 1.2/2"]);
  });

  test("may be there again when it was sent back itself, and not when its neighbour was", () => {
    const at = created + 1;
    const { reconciliation } = lost((it) => {
      for (const id of [1, 2])
        for (const seq of [id, id + 2])
          it.final(final(id, { seq, wasReplayed: true, accepted: { number: 1, line: id, lines: 2, at } }));
      it.record({ kind: "replayed", ...removal, accepted: line(1, 2), storedAs: "CASINO_PRICED:9" }, 1);
    });
    expect([reconciliation.replayed.first, reconciliation.doubled.first]).toEqual([
      ["casino:test:1 (CASINO_EVENTS 3)"],
      ["casino:test:2 (CASINO_EVENTS 4)"],
    ]);
  });
});
