import { hash, randomBytes } from "node:crypto";

// `cr_`, the part that lists show, and 192 random bits.
const form = /^cr_[0-9a-f]{8}_[0-9a-f]{48}$/;

/** A new key: shown once to its owner and never stored. */
export function newApiKey(): string {
  return `cr_${randomBytes(4).toString("hex")}_${randomBytes(24).toString("hex")}`;
}

/** Whether a text has the form of a key; otherwise it is not worth a query. */
export function isApiKey(text: string): boolean {
  return form.test(text);
}

/** The part by which people recognize keys. */
export function prefixOf(key: string): string {
  return key.slice(0, "cr_00000000".length);
}

/** What is stored of a key: SHA-256, without salt because the key is random. */
export function hashOf(key: string): Buffer {
  // createHash takes half as long again, and each request needs it.
  return hash("sha256", key, "buffer");
}
