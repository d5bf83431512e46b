import { type NatsConnection, RequestError, TimeoutError } from "nats";
import { Unavailable } from "../service/unavailable.ts";

const timeoutMs = 5_000;

/** The broker refused a request. The code is one of the server's errors.json. */
export class RefusedRequest extends Error {
  override readonly name = "RefusedRequest";
  readonly code: number;

  constructor(description: string, code: number) {
    super(description);
    this.code = code;
  }

  get isMessageMissing(): boolean {
    // "no message found", and after a deletion "message not found": older servers have no separate code for it.
    return this.code === 10037 || this.code === 10057;
  }

  get isConsumerMissing(): boolean {
    return this.code === 10014;
  }
}

/** A stream that nobody has created yet. */
export class StreamMissing extends Unavailable {
  constructor(stream: string) {
    super(`The stream ${stream} does not exist yet: an enricher makes it at its start.`);
  }
}

const streamMissing = 10059;

/**
 * Asks JetStream's API and returns the answer's fields unchecked. The library's reader of stored messages throws on
 * headers that any producer can send, so callers read the fields they need.
 * @param what after `$JS.API.`, such as `STREAM.INFO.CASINO_DEAD`
 * @throws Unavailable when nobody answers; StreamMissing; RefusedRequest
 */
export async function askBroker(
  nc: NatsConnection,
  what: string,
  request: object = {},
): Promise<Readonly<Record<string, unknown>>> {
  let answer: unknown;
  try {
    answer = (await nc.request(`$JS.API.${what}`, JSON.stringify(request), { timeout: timeoutMs })).json();
  } catch (cause) {
    const because =
      cause instanceof TimeoutError || cause instanceof RequestError
        ? "it does not answer"
        : cause instanceof Error
          ? cause.message
          : String(cause);
    throw new Unavailable(`NATS JetStream is away: ${because}.`, { cause });
  }
  const fields = isObject(answer) ? answer : {};
  if (!isObject(fields.error)) return fields;
  const { err_code, description } = fields.error;
  const code = typeof err_code === "number" ? err_code : 0;
  if (code === streamMissing)
    throw new StreamMissing(what.split(".").find((token) => /^(CASINO|KV)_/.test(token)) ?? what);
  throw new RefusedRequest(String(description), code);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
