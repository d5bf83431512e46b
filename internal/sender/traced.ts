import type { HopTrace, SpanResult } from "../messages/trace.ts";
import type { Attempt } from "../webhooks/deliver.ts";
import type { Item } from "./item.ts";

/** Makes a call with these items, with a span for each. A call that was aborted, whose result is unknown, has none. */
export async function traced(
  trace: HopTrace | undefined,
  items: readonly Item[],
  call: () => Promise<Attempt | undefined>,
): Promise<Attempt | undefined> {
  if (trace === undefined) return call();
  trace.begin(
    items,
    ({ identity }) => identity.traceparent ?? "",
    ({ delivery }) => delivery,
  );
  const attempt = await call();
  if (attempt !== undefined) for (const item of items) trace.end(item, resultOf(attempt));
  return attempt;
}

function resultOf({ ok, status }: Attempt): SpanResult {
  if (ok) return { outcome: "delivered", status };
  return { outcome: "failed", status, error: status === undefined ? "no_answer" : String(status) };
}
