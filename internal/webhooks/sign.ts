import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";

/** A new secret in the form that receivers' libraries take: 32 random bytes. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** The headers by which a receiver knows that a call is ours. */
export interface SignatureHeaders {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/**
 * Signs a call by Standard Webhooks.
 * @param secrets those that sign now: one signature each, so that a receiver verifies with either during a rotation
 * @param at when the attempt is made: receivers refuse what is older than a few minutes
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
