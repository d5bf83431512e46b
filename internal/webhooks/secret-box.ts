import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/** None of the keys decrypts a value. The message is one sentence, with the next move. */
export class SealError extends Error {
  override readonly name = "SealError";
}

const form = /^([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/;
const ivBytes = 12;
const tagBytes = 16;

/**
 * Encrypts values for the database by AES-256-GCM, with a new nonce each time. Of several keys the first encrypts and
 * all decrypt, so that a key can be replaced without an interruption.
 */
export class SecretBox {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #current: string;

  /** @param keys 32 bytes each, at least one */
  constructor(keys: readonly Uint8Array[]) {
    const named = keys.map((key) => [nameOf(key), key] as const);
    const [first] = named;
    if (first === undefined) throw new Error("a secret box needs a key");
    this.#current = first[0];
    this.#keys = new Map(named);
  }

  /** @param owner the owner of the value; a value sealed for one owner does not open for another */
  seal(text: string, owner: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#key(this.#current), iv).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `${this.#current}.${sealed.toString("base64url")}`;
  }

  /** @throws SealError */
  open(sealed: string, owner: string): string {
    const [, name = "", payload = ""] = form.exec(sealed) ?? [];
    const key = this.#key(name);
    const bytes = Buffer.from(payload, "base64url");
    try {
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, ivBytes))
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(-tagBytes));
      return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8");
    } catch (err) {
      throw new SealError(
        `The encrypted value of ${owner} was altered: rotate its secret and set its headers again.`,
        {
          cause: err,
        },
      );
    }
  }

  /** Whether it was sealed with another key than the first. */
  isOld(sealed: string): boolean {
    return !sealed.startsWith(`${this.#current}.`);
  }

  #key(name: string): Uint8Array {
    const key = this.#keys.get(name);
    if (key === undefined)
      throw new SealError(
        `DELIVERY_KEY lacks the key ${name || "that encrypted it"}: append it to the others.`,
      );
    return key;
  }
}

/** Identifies a key without revealing anything about it. */
function nameOf(key: Uint8Array): string {
  return createHash("sha256").update("croupier delivery key\0").update(key).digest("hex").slice(0, 8);
}
