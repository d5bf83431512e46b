import { Agent, buildConnector, type Dispatcher, errors, ProxyAgent, request } from "undici";
import manifest from "../../package.json" with { type: "json" };
import type { Network } from "../service/config-values.ts";
import { reasonOf } from "../service/log.ts";
import { AddressGuard, AddressRefused, withoutBrackets } from "./address-guard.ts";
import type { Destination } from "./destination.ts";
import type { WebhookMessage } from "./message.ts";
import { sign } from "./sign.ts";

/** The result of one call. */
export interface Attempt {
  /** Whether the answer was 2xx. */
  readonly ok: boolean;
  /** The answer's status; undefined if there was no answer. */
  readonly status?: number | undefined;
  /** Whether the receiver wants no more calls (410). */
  readonly gone: boolean;
  readonly retryAfterMs?: number | undefined;
  /** Why it failed: a sentence for the destination's client. */
  readonly error?: string | undefined;
  readonly durationMs: number;
  /** The start of the answer's body, at most 1 KiB. */
  readonly answer: string;
  /** When the attempt began. */
  readonly at: Date;
}

export interface DelivererOptions {
  /** Networks besides the public internet. */
  readonly allow?: readonly Network[];
  /** URL of an HTTP proxy, which resolves host names itself. */
  readonly proxy?: string | undefined;
  /** How long a call may take in all, in ms. */
  readonly timeoutMs?: number;
  /** How long to read an answer's body, in ms: it is only read to show its start. */
  readonly answerWithinMs?: number;
  /** For tests. */
  readonly guard?: AddressGuard;
  /** Certificate authorities besides the system's, in PEM. */
  readonly ca?: string | undefined;
}

/** An answer up to this length is read to its end, so that its connection can be reused. */
const mostRead = 16 * 1024;
const mostKept = 1_024;

/** Calls receivers. One per process is enough: it keeps connections open for later calls. */
export class Deliverer {
  readonly #dispatcher: Dispatcher;
  readonly #guard: AddressGuard;
  readonly #isProxied: boolean;
  readonly #timeoutMs: number;
  readonly #answerWithinMs: number;

  constructor({
    allow,
    proxy,
    timeoutMs = 15_000,
    answerWithinMs = 2_000,
    guard,
    ca,
  }: DelivererOptions = {}) {
    this.#guard = guard ?? new AddressGuard(allow);
    this.#timeoutMs = timeoutMs;
    this.#answerWithinMs = answerWithinMs;
    this.#isProxied = proxy !== undefined;
    const tls = { allowH2: false, ...(ca === undefined ? {} : { ca }) };
    // The call's own signal ends it; these limits cover what a signal does not reach.
    const limits = {
      allowH2: false,
      connectTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxHeaderSize: mostRead,
      keepAliveTimeout: 10_000,
    };
    this.#dispatcher =
      proxy === undefined
        ? new Agent({ ...limits, connect: this.#connector({ ...tls, timeout: timeoutMs }) })
        : new ProxyAgent({ ...limits, uri: proxy, proxyTunnel: true, requestTls: tls });
  }

  /**
   * Makes one attempt. It never throws for a fault of the receiver: the result says what happened.
   * @param signal aborts it
   * @throws the signal's reason if it aborts
   */
  async deliver(
    { url, headers, secrets }: Pick<Destination, "url" | "headers" | "secrets">,
    { id, body }: WebhookMessage,
    signal: AbortSignal,
  ): Promise<Attempt> {
    signal.throwIfAborted();
    const at = new Date();
    const began = performance.now();
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const finish = (attempt: Omit<Attempt, "durationMs" | "at">): Attempt => ({
      ...attempt,
      durationMs: Math.round(performance.now() - began),
      at,
    });
    try {
      if (this.#isProxied) await this.#checkName(new URL(url));
      const response = await request(url, {
        method: "POST",
        dispatcher: this.#dispatcher,
        signal: AbortSignal.any([signal, timeout]),
        headers: {
          ...headers,
          "content-type": "application/json",
          accept: "*/*",
          "user-agent": `Croupier/${manifest.version} (+webhooks)`,
          ...sign(secrets, { id, body, at }),
        },
        body,
      });
      const { statusCode: status } = response;
      const answer = await this.#beginningOf(response.body);
      if (status >= 200 && status < 300) return finish({ ok: true, gone: false, status, answer });
      return finish({
        ok: false,
        gone: status === 410,
        status,
        retryAfterMs: readRetryAfter(response.headers["retry-after"]),
        error: statusError(status),
        answer,
      });
    } catch (err) {
      if (signal.aborted) throw signal.reason;
      const error = timeout.aborted
        ? `There was no answer within ${this.#timeoutMs / 1_000} s.`
        : sentenceOf(err);
      return finish({ ok: false, gone: false, error, answer: "" });
    }
  }

  /** Checks a URL without resolving its name. @throws AddressRefused */
  checkUrl(url: URL): void {
    this.#guard.checkUrl(url);
  }

  /** Closes all connections, also those with a call in flight. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** Connects after checking the address: the one in the URL, or those to which its name resolves now. */
  #connector(options: buildConnector.BuildOptions): buildConnector.connector {
    const encrypted = buildConnector({ ...options, lookup: this.#guard.lookup(true) });
    const plain = buildConnector({ ...options, lookup: this.#guard.lookup(false) });
    return (target, done) => {
      const isEncrypted = target.protocol === "https:";
      try {
        this.#guard.checkLiteral(withoutBrackets(target.hostname), isEncrypted);
      } catch (err) {
        done(err instanceof Error ? err : new Error(String(err)), null);
        return;
      }
      (isEncrypted ? encrypted : plain)(target, done);
    };
  }

  #checkName({ hostname, protocol }: URL): Promise<void> {
    return this.#guard.checkName(withoutBrackets(hostname), protocol === "https:");
  }

  /** Reads the start of the body, which does not change the attempt's result. */
  async #beginningOf(body: Dispatcher.ResponseData["body"]): Promise<string> {
    const chunks: Uint8Array[] = [];
    let read = 0;
    const tooLong = setTimeout(() => body.destroy(), this.#answerWithinMs);
    try {
      for await (const chunk of body) {
        const bytes: Uint8Array = chunk;
        if (read < mostKept) chunks.push(bytes);
        read += bytes.length;
        if (read >= mostRead) break;
      }
    } catch {
      // The receiver or our limit cut the body short.
    } finally {
      clearTimeout(tooLong);
      body.destroy();
    }
    return textOf(Buffer.concat(chunks).subarray(0, mostKept));
  }
}

/** Converts bytes to text that Postgres can store, without half a character at its end. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true }).replaceAll("\0", "");
}

function statusError(status: number): string {
  if (status >= 300 && status < 400) return `It answered ${status}: redirects are not followed.`;
  return `It answered ${status}.`;
}

/** Seconds, or a date (RFC 9110); in ms. */
function readRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== "string") return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** A sentence about a failed call, for the destination's client. */
function sentenceOf(err: unknown): string {
  if (err instanceof AddressRefused) return err.message;
  if (err instanceof AggregateError && err.errors.length > 0) return sentenceOf(err.errors[0]);
  const code = codeOf(err);
  if (err instanceof errors.HeadersOverflowError) return "The headers of its answer are too long.";
  if (err instanceof errors.HTTPParserError) return "Its answer is not HTTP.";
  if (err instanceof errors.SocketError || code === "ECONNRESET" || code === "EPIPE")
    return "It closed the connection before its answer.";
  if (code === "ECONNREFUSED") return "It refuses connections (ECONNREFUSED).";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `Its host name cannot be resolved (${code}).`;
  const message = reasonOf(err);
  const reason = message.replace(/\s+/g, " ").slice(0, 200);
  if (isTls(code, reason)) return `Its TLS certificate or handshake is not valid: ${reason} (${code}).`;
  return `The call failed: ${reason}${code === "" ? "" : ` (${code})`}.`;
}

function codeOf(err: unknown): string {
  return err instanceof Error && "code" in err ? String(err.code) : "";
}

/** Recognizes TLS errors: OpenSSL has many codes, and Node names most certificate errors like this. */
function isTls(code: string, reason: string): boolean {
  return (
    /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_OSSL)/.test(
      code,
    ) || /\bSSL\b|certificate/i.test(reason)
  );
}
