import { expect, test } from "vitest";
import { Unavailable } from "../unavailable.ts";
import { setAside } from "./letters.fixture.ts";
import { discard } from "./removal.ts";
import { count, jsm, letterOf, options, publisher, refusingLedger } from "./replay.fixture.ts";

test("a discard is written into the ledger before the letter goes, and stays undone while that cannot be written", async () => {
  await setAside(publisher, { payload: "nonsense", headers: { "Nats-Msg-Id": "CASINO_RAW:5:dead" } });
  const letter = await letterOf(1);
  const refused = discard(letter, { ...options, publish: refusingLedger });
  await expect(refused).rejects.toThrow("The ledger cannot be written, so dead letter 1 stays");
  await expect(refused).rejects.toBeInstanceOf(Unavailable);
  expect(await count("CASINO_DEAD")).toBe(1);
  expect(await discard(letter, options)).toBe(true);
  expect(await discard(letter, options)).toBe(false);
  const written = await jsm.streams.getMessage("CASINO_LEDGER", { seq: 1 });
  expect(written?.subject).toBe("casino.ledger.discarded.currency");
  expect(written?.json()).toEqual({
    letter: 1,
    message: "CASINO_RAW:5",
    messageId: "",
    accepted: "",
    by: "test",
  });
});
