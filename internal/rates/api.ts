import { type Answer, parseAnswer, RatesError } from "./answer.ts";

/** Asks the rates API once. Rejects with `RatesError` when it returns no usable rates, with the signal's reason on abort. */
export type FetchRates = (signal: AbortSignal) => Promise<Answer>;

interface RatesApiOptions {
  /** http or https, with any query that asks for EUR. A user and password in it are sent as basic authentication. */
  readonly url: string;
  /** Appended to the query as `access_key`. */
  readonly accessKey?: string | undefined;
  /** Limit in ms on one request with all its redirects and its whole body; default 5 s. */
  readonly timeout?: number;
  /** Limit on the body, after decompression; default 1 MiB. */
  readonly maxBytes?: number;
}

const defaultTimeout = 5_000;
const defaultMaxBytes = 1024 * 1024;
const mostRedirects = 3;

/**
 * A client of the rates API at `url`. Its errors name the host and nothing else of the address: providers put keys into
 * queries and paths. Calls are independent and may overlap. Throws `RatesError` when the URL cannot be used.
 */
export function ratesApi(options: RatesApiOptions): FetchRates {
  const { accessKey, timeout = defaultTimeout, maxBytes = defaultMaxBytes } = options;
  const { url, headers } = prepare(options.url, accessKey);

  return async (signal) => {
    const deadline = AbortSignal.timeout(timeout);
    try {
      const response = await request(url, headers, AbortSignal.any([signal, deadline]));
      return parseAnswer(await readText(response, maxBytes));
    } catch (error) {
      signal.throwIfAborted();
      const problem = deadline.aborted ? `no complete answer within ${timeout / 1000} s` : explain(error);
      const message = `the rates API at ${url.host} failed: ${problem}`;
      // Without the cause, whose texts may contain the address and the key.
      throw new RatesError(accessKey ? message.replaceAll(accessKey, "***") : message);
    }
  };
}

function prepare(text: string, accessKey: string | undefined) {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new RatesError("RATES_URL is not an http or https URL");
  if (accessKey) url.searchParams.set("access_key", accessKey);
  // fetch refuses a URL with credentials, in an error that repeats it.
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  const headers = new Headers({ accept: "application/json" });
  if (credentials !== ":")
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
  return { url, headers };
}

async function request(start: URL, headers: Headers, signal: AbortSignal): Promise<Response> {
  let url = start;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    // By hand, because fetch would follow a redirect to anywhere, with the key in its query.
    const response = await fetch(url, { headers, signal, redirect: "manual" });
    if (response.ok) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (location === null || response.status >= 400) throw refusal(response.status);
    url = redirected(url, location);
  }
  throw new RatesError(`more than ${mostRedirects} redirects`);
}

/** Within the same server only: over http, anybody on the way could rewrite the rates and read the key. */
function redirected(from: URL, location: string): URL {
  const to = URL.parse(location, from);
  if (to?.origin === from.origin && !to.username && !to.password) return to;
  throw new RatesError("it redirects to another address: put the one that answers into RATES_URL");
}

function refusal(status: number): RatesError {
  const advice = status === 401 || status === 403 ? ": check RATES_API_KEY" : "";
  return new RatesError(`it answered with status ${status}${advice}`);
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new RatesError(`its answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new RatesError("its answer is not UTF-8");
  }
}

function explain(error: unknown): string {
  if (error instanceof RatesError) return error.message;
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return "it cannot be reached";
  const reason = "code" in cause ? cause.code : cause.message;
  return `it cannot be reached (${String(reason)})`;
}
