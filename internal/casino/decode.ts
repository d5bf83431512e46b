import { isCasinoType, isEventType } from "./event.ts";
import { fieldError } from "./field-error.ts";
import { type DataCheck, type Decoded, type Json, refuse, untypedErrors } from "./reader.ts";
import { enrichedReaders, type Readers, rawReaders } from "./readers.ts";

export type { FieldError } from "./field-error.ts";
export { type DataCheck, type Decoded, type Refusal, withDataErrors } from "./reader.ts";

/** Checks a custom type's `data`; undefined when the type is not registered. */
export type CustomTypes = (type: string) => DataCheck | undefined;

/**
 * Decodes an event as producers send it. Keys without a meaning for its type are dropped unseen, and so are keys that the
 * steps add. A bet or deposit without `amount` gets 0, a bet without `has_won` has not won.
 *
 * @param customTypes without it every type but the casino types is `unknown_type`
 * @returns never throws, unless `customTypes` does
 */
export function decodeRaw(payload: Uint8Array, customTypes: CustomTypes = noCustomTypes): Decoded {
  return decode(payload, rawReaders, customTypes);
}

/** As `decodeRaw`, for a parsed value: never `invalid_json`. */
export function decodeRawValue(value: unknown, customTypes: CustomTypes = noCustomTypes): Decoded {
  return decodeValue(value, rawReaders, customTypes);
}

/**
 * Decodes an event that at least one step has handled: nothing is filled in, and `amount_eur`, `player` and `description`
 * are kept.
 *
 * @param customTypes without it every type but the casino types is `unknown_type`
 * @returns never throws, unless `customTypes` does
 */
export function decodeEnriched(payload: Uint8Array, customTypes: CustomTypes = noCustomTypes): Decoded {
  return decode(payload, enrichedReaders, customTypes);
}

/** As `decodeEnriched`, for a parsed value. */
export function decodeEnrichedValue(value: unknown, customTypes: CustomTypes = noCustomTypes): Decoded {
  return decodeValue(value, enrichedReaders, customTypes);
}

const noCustomTypes: CustomTypes = () => undefined;
const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(payload: Uint8Array, readers: Readers, customTypes: CustomTypes): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(textOf(payload));
  } catch {
    // The parser's own message quotes the payload, line breaks and all.
    return refuse("invalid_json", [fieldError("", "must be JSON in UTF-8")]);
  }
  return decodeValue(value, readers, customTypes);
}

/** @throws TypeError for anything but UTF-8 */
function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  const text = Buffer.from(buffer, byteOffset, length).toString();
  // Only the strict decoder distinguishes invalid UTF-8 from a U+FFFD that was sent, but it takes three times as long.
  return text.includes("\uFFFD") || text.startsWith("\uFEFF")
    ? utf8.decode(new Uint8Array(buffer, byteOffset, length))
    : text;
}

function decodeValue(value: unknown, readers: Readers, customTypes: CustomTypes): Decoded {
  if (!isJsonObject(value)) return refuse("invalid_event", [fieldError("", "must be object")]);
  const { type } = value;
  if (typeof type !== "string" || !isEventType(type)) {
    return refuse("invalid_event", untypedErrors(value));
  }
  if (isCasinoType(type)) return readers[type](value);
  const check = customTypes(type);
  if (check === undefined) return refuse("unknown_type", [fieldError("/type", "must be a registered type")]);
  return readers.custom(value, check);
}

function isJsonObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
