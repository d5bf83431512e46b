import { Agent, buildConnector, type Dispatcher, errors, ProxyAgent, request } from "undici";
import manifest from "../../package.json" with { type: "json" };
import { AddressGuard, AddressRefused, type Network, withoutBrackets } from "./address-guard.ts";
import type { Destination } from "./destination.ts";
import type { WebhookMessage } from "./message.ts";
import { sign } from "./sign.ts";

/** What became of one call. */
export interface Attempt {
  /** 2xx. */
  readonly ok: boolean;
  /** Of the answer; undefined when there was none. */
  readonly status?: number | undefined;
  /** The receiver never wants to be called again (410). */
  readonly gone: boolean;
  /** How long the receiver asked to be left alone, in ms. */
  readonly retryAfterMs?: number | undefined;
  /** Why it is no success: a sentence for the destination's client. */
  readonly error?: string | undefined;
  readonly durationMs: number;
  /** How the answer begins, at most 1 KiB. */
  readonly answer: string;
  /** When the attempt began. */
  readonly at: Date;
}

export interface DelivererOptions {
  /** Networks besides the public internet. */
  readonly allow?: readonly Network[];
  /** URL of an HTTP proxy; it finds the addresses of names by itself. */
  readonly proxy?: string | undefined;
  /** How long a call may take in all, in ms. */
  readonly timeoutMs?: number;
  /** How long an answer may go on behind its status, in ms: it is only read to show how it begins. */
  readonly answerWithinMs?: number;
  /** For tests. */
  readonly guard?: AddressGuard;
  /** Certificate authorities besides the system's, in PEM. */
  readonly ca?: string | undefined;
}

/** Read to this length an answer leaves its connection fit for the next call. */
const mostRead = 16 * 1024;
const mostKept = 1_024;

/** Calls receivers. One of a process is enough: it keeps connections open for the next call. */
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
    // The call's own signal ends it; these are for what a signal does not reach.
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
   * One attempt. It never throws for a fault of the receiver, however it behaves: that is what the attempt says.
   * @param signal aborts it
   * @throws the signal's reason when it was aborted
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

  /** Whether a URL may be called, as far as that shows without looking up its name. @throws AddressRefused */
  checkUrl(url: URL): void {
    this.#guard.checkUrl(url);
  }

  /** Ends the connections, also those with a call under way. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** Connects after having looked at the address: at the one that is written in the URL, or at those that its name has now. */
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

  /** Whatever comes behind the status changes nothing about the attempt. */
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
      // Cut, by the receiver or by us.
    } finally {
      clearTimeout(tooLong);
      body.destroy();
    }
    return textOf(Buffer.concat(chunks).subarray(0, mostKept));
  }
}

/** As text that Postgres can keep, without half a character at its end. */
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

/** Of the failure of a call, for the destination's client. */
function sentenceOf(err: unknown): string {
  if (err instanceof AddressRefused) return err.message;
  if (err instanceof AggregateError && err.errors.length > 0) return sentenceOf(err.errors[0]);
  const code = codeOf(err);
  if (err instanceof errors.HeadersOverflowError) return "The headers of its answer are too long.";
  if (err instanceof errors.HTTPParserError) return "Its answer is not HTTP.";
  if (err instanceof errors.SocketError || code === "ECONNRESET" || code === "EPIPE")
    return "It closed the connection before its answer.";
  if (code === "ECONNREFUSED") return "It takes no connections (ECONNREFUSED).";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `Its name leads to no address (${code}).`;
  const message = err instanceof Error ? err.message : String(err);
  const reason = message.replace(/\s+/g, " ").slice(0, 200);
  if (isTls(code, reason)) return `Its TLS certificate or handshake is not good: ${reason} (${code}).`;
  return `The call failed: ${reason}${code === "" ? "" : ` (${code})`}.`;
}

function codeOf(err: unknown): string {
  return err instanceof Error && "code" in err ? String(err.code) : "";
}

/** OpenSSL's codes are many; Node names most of those of certificates so. */
function isTls(code: string, reason: string): boolean {
  return (
    /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_OSSL)/.test(
      code,
    ) || /\bSSL\b|certificate/i.test(reason)
  );
}
