import { expect, onTestFinished, test } from "vitest";
import { natsConfig, silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { connectNats } from "./connect.ts";
import { privateInbox, questionInbox, unguessable } from "./inbox.ts";

const server = await natsForTest();

test("has the prefix of its connection, and is another one each time", async () => {
  const nc = await connectNats("inboxes", natsConfig(server), silent, AbortSignal.timeout(5_000));
  onTestFinished(() => nc.close());
  const inboxes = [privateInbox(nc), privateInbox(nc)];
  for (const inbox of inboxes) expect(inbox).toMatch(/^_INBOX_inboxes\.[A-Za-z0-9_-]{8}$/);
  expect(new Set(inboxes).size).toBe(2);
  expect(questionInbox(nc)).toMatch(/^_INBOX_inboxes_questions\.[A-Za-z0-9_-]{8}$/);
});

test("numbers that cannot be guessed are of 32 bits, and do not follow from each other", () => {
  const numbers = Array.from({ length: 10_000 }, unguessable);
  expect(numbers.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32)).toBe(true);
  // Of 10,000 draws from 2^32, a hundred that come again are out of the question.
  expect(new Set(numbers).size).toBeGreaterThan(9_900);
  const steps = numbers.slice(1).map((number, index) => number - (numbers[index] ?? 0));
  expect(new Set(steps).size).toBeGreaterThan(9_900);
});
