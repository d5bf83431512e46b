import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";

/** Makes a new secret of 32 random bytes, in the form that receivers' libraries accept. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** The headers by which a receiver verifies a call. */
interface SignatureHeaders {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/**
 * Signs a call by Standard Webhooks.
 * @param secrets the secrets that sign now: one signature each, so that a receiver verifies with either during a
 * rotation
 * @param at the time of the attempt: receivers refuse calls older than a few minutes
 */
export function sign(
  secrets: readonly string[],
  { id, body, at }: { readonly id: string; readonly body: string; readonly at: Date },
): SignatureHeaders {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
}
