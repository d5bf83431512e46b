/** The signature of Postgres' binary COPY format; then the flags and the length of an extension, both 0. */
const signature = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const usualBytes = 64 * 1024;
/** Most bytes of one UTF-16 unit in UTF-8. */
const perCharacter = 3;
const twoTo32 = 2 ** 32;
/** 1 January 2000, where Postgres starts counting microseconds, in ms since 1970. */
const epochMs = 946_684_800_000;

/**
 * Rows in the binary format of COPY (Postgres manual, "COPY"): the server takes numbers and times as they are and parses
 * no text. Add columns in the order of the statement; `undefined` is null.
 */
export class CopyRows {
  readonly #columns: number;
  #bytes = Buffer.allocUnsafe(usualBytes);
  #end = 0;
  #lastNumeric: { readonly text: string; readonly bytes: Buffer } = { text: "", bytes: Buffer.alloc(0) };

  constructor(columns: number) {
    this.#columns = columns;
    this.#end = signature.copy(this.#bytes);
  }

  row(): void {
    this.#room(2);
    this.#end = this.#bytes.writeInt16BE(this.#columns, this.#end);
  }

  /** For type `json` too. The text must not contain U+0000. */
  text(value: string | undefined): void {
    if (value === undefined) {
      this.#length(-1);
      return;
    }
    this.#room(4 + perCharacter * value.length);
    const length = this.#bytes.write(value, this.#end + 4);
    this.#end = this.#bytes.writeInt32BE(length, this.#end) + length;
  }

  /** @param value a safe integer */
  bigint(value: number | undefined): void {
    if (value === undefined) {
      this.#length(-1);
      return;
    }
    this.#length(8);
    const high = Math.floor(value / twoTo32);
    this.#end = this.#bytes.writeInt32BE(high, this.#end);
    this.#end = this.#bytes.writeUInt32BE(value - high * twoTo32, this.#end);
  }

  boolean(value: boolean | undefined): void {
    if (value === undefined) {
      this.#length(-1);
      return;
    }
    this.#length(1);
    this.#end = this.#bytes.writeInt8(value ? 1 : 0, this.#end);
  }

  /** A `timestamptz`. @param ms whole milliseconds since 1970, of the years 0000 to 9999 */
  instant(ms: number | undefined): void {
    const micros = ms === undefined ? undefined : (ms - epochMs) * 1_000;
    if (micros === undefined || Number.isSafeInteger(micros)) this.bigint(micros);
    else {
      this.#length(8);
      this.#end = this.#bytes.writeBigInt64BE(BigInt((ms ?? 0) - epochMs) * 1_000n, this.#end);
    }
  }

  /** A `numeric`. @param text a decimal number of 0 or more, perhaps with an exponent */
  numeric(text: string | undefined): void {
    if (text === undefined) {
      this.#length(-1);
      return;
    }
    // Neighbours mostly share a rate.
    if (text !== this.#lastNumeric.text) this.#lastNumeric = { text, bytes: numericBytes(text) };
    const { bytes } = this.#lastNumeric;
    this.#length(bytes.length);
    this.#end += bytes.copy(this.#bytes, this.#end);
  }

  /** The complete data, ended: call it once. */
  bytes(): Buffer {
    this.#room(2);
    this.#end = this.#bytes.writeInt16BE(-1, this.#end);
    return this.#bytes.subarray(0, this.#end);
  }

  /** Writes the length of the next value, -1 for null, and makes room for it. */
  #length(bytes: number): void {
    this.#room(4 + Math.max(0, bytes));
    this.#end = this.#bytes.writeInt32BE(bytes, this.#end);
  }

  #room(bytes: number): void {
    if (this.#bytes.length - this.#end >= bytes) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#end + bytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** Digits to the base 10,000, after their count, the power of the first, the sign and the number of decimals. */
function numericBytes(text: string): Buffer {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const point = whole.length + Number(exponent);
  const digits = "0".repeat(Math.max(0, -point)) + whole + fraction;
  const before = digits.slice(0, Math.max(0, point)).padEnd(point, "0");
  const after = digits.slice(Math.max(0, point));
  const left = before.padStart(Math.ceil(before.length / 4) * 4, "0");
  const groups = (left + after.padEnd(Math.ceil(after.length / 4) * 4, "0")).match(/.{4}/g) ?? [];
  const bytes = Buffer.alloc(8 + 2 * groups.length);
  let end = bytes.writeInt16BE(groups.length);
  end = bytes.writeInt16BE(left.length / 4 - 1, end);
  end = bytes.writeInt16BE(0, end);
  end = bytes.writeInt16BE(after.length, end);
  for (const group of groups) end = bytes.writeInt16BE(Number(group), end);
  return bytes;
}
