import { expect, test } from "vitest";
import { Unavailable } from "../service/unavailable.ts";
import { setAside } from "./letters.fixture.ts";
import { discard } from "./removal.ts";
import { lettersForTest } from "./replay.fixture.ts";

const { count, jsm, letterOf, options, publisher, refusingLedger } = await lettersForTest();

test("a discard is written into the ledger before the letter goes, and stays undone while that cannot be written", async () => {
  await setAside(publisher, {
    payload: "nonsense",
    headers: { "Nats-Msg-Id": "1641817000123:5:currency:0:dead", "Casino-Dead-Message": "CASINO_RAW:5" },
  });
  const letter = await letterOf(1);
  const refused = discard(letter, { ...options, publish: refusingLedger });
  await expect(refused).rejects.toThrow("The ledger cannot be written, so dead letter 1 stays");
  await expect(refused).rejects.toBeInstanceOf(Unavailable);
  expect(await count("CASINO_DEAD")).toBe(1);
  expect(await discard(letter, options)).toBe(true);
  expect(await discard(letter, options)).toBe(false);
  const written = await jsm.streams.getMessage("CASINO_LEDGER", { seq: 1 });
  expect(written?.subject).toBe("casino.ledger.letter.1");
  expect(written?.json()).toEqual({
    kind: "discarded",
    id: "1641817000123:5:currency:0:dead",
    client: "casino",
    step: "currency",
    message: "CASINO_RAW:5",
    accepted: "",
    by: "test",
  });
});
