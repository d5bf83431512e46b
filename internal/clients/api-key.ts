import { hash, randomBytes } from "node:crypto";

// `cr_`, the part that lists show, and 192 random bits.
const form = /^cr_[0-9a-f]{8}_[0-9a-f]{48}$/;

/** A new key: shown once to its owner and never kept. */
export function newApiKey(): string {
  return `cr_${randomBytes(4).toString("hex")}_${randomBytes(24).toString("hex")}`;
}

/** Whether a text can be a key at all: what cannot is not worth a query. */
export function isApiKey(text: string): boolean {
  return form.test(text);
}

/** The part by which people tell keys apart. */
export function prefixOf(key: string): string {
  return key.slice(0, "cr_00000000".length);
}

/** What is kept of a key: SHA-256, without salt, because the key is random. */
export function hashOf(key: string): Buffer {
  // Not createHash: that takes half as long again, and each request asks.
  return hash("sha256", key, "buffer");
}
