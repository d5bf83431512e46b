import { randomBytes } from "node:crypto";
import type { Attempt, Deliverer } from "./deliver.ts";
import type { Destination } from "./destination.ts";
import type { WebhookMessage } from "./message.ts";

/** The type of test events. No real event can have it, because it contains a dot. */
const testType = "croupier.test";

interface TestResult extends Attempt {
  readonly webhookId: string;
}

/** Calls a destination, enabled or not, with a signed test event. The attempt is not recorded. */
export async function deliverTest(
  deliverer: Deliverer,
  destination: Destination,
  signal: AbortSignal,
): Promise<TestResult> {
  const message = testMessage(destination, new Date());
  return { ...(await deliverer.deliver(destination, message, signal)), webhookId: message.id };
}

function testMessage({ client, batch }: Destination, now: Date): WebhookMessage {
  const id = `test_${randomBytes(12).toString("base64url")}`;
  const timestamp = now.toISOString();
  const data = { client_id: client, description: "A test: no event happened." };
  const event = { type: testType, timestamp, data };
  const body = batch === 1 ? event : { type: "batch", timestamp, data: [{ id, ...event }] };
  return { id, body: JSON.stringify(body) };
}
