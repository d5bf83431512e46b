import { expect, onTestFinished, test } from "vitest";
import { natsConfig, silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { connectNats } from "./connect.ts";
import { privateInbox } from "./inbox.ts";

const server = await natsForTest();

test("has the prefix of its connection, and is another one each time", async () => {
  const nc = await connectNats("inboxes", natsConfig(server), silent, AbortSignal.timeout(5_000));
  onTestFinished(() => nc.close());
  const inboxes = [privateInbox(nc), privateInbox(nc)];
  for (const inbox of inboxes) expect(inbox).toMatch(/^_INBOX_inboxes\.[A-Za-z0-9_-]{8}$/);
  expect(new Set(inboxes).size).toBe(2);
});
