import { escapeKey, type FieldError, fieldError } from "./field-error.ts";

const MAX_LEVELS = 64;
const TEXT_RULE = "must not contain U+0000 or a lone surrogate";
const NUMBER_RULE = "must be within the range of a double";

/** Whether Postgres can keep a text: neither `text` nor `jsonb` holds U+0000 or half a surrogate pair. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** The error of a text for which `isStorableText` is false. */
export function textError(path: string): FieldError {
  return fieldError(path, TEXT_RULE);
}

interface Place {
  readonly value: object;
  readonly level: number;
  readonly key: string;
  readonly parent: Place | undefined;
}

/**
 * The first reason for which a parsed JSON object could not be kept as it is or safely walked: a text that Postgres
 * cannot hold, in a value or a key; a number so large that it was read as infinite, and would be written as null; or
 * more than 64 levels of nesting, the object itself being the first. Does not recurse, so that no nesting exhausts the
 * stack; what comes after may.
 *
 * @param path JSON pointer of the object, put before the paths of the errors
 * @returns undefined when there is none
 */
export function unstorable(root: object, path: string): FieldError | undefined {
  const open: Place[] = [{ value: root, level: 1, key: "", parent: undefined }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (place.level > MAX_LEVELS) return fieldError(path, `must be at most ${MAX_LEVELS} levels deep`);
    const entries: [string, unknown][] = Object.entries(place.value);
    for (const [key, child] of entries) {
      if (!isStorableText(key)) {
        return fieldError(pointer(path, place), `${TEXT_RULE} in a key`);
      }
      if (typeof child === "string") {
        if (!isStorableText(child)) return textError(`${pointer(path, place)}/${escapeKey(key)}`);
      } else if (typeof child === "number") {
        if (!Number.isFinite(child))
          return fieldError(`${pointer(path, place)}/${escapeKey(key)}`, NUMBER_RULE);
      } else if (typeof child === "object" && child !== null) {
        open.push({ value: child, level: place.level + 1, key, parent: place });
      }
    }
  }
  return undefined;
}

function pointer(path: string, place: Place): string {
  const keys: string[] = [];
  for (let at = place; at.parent !== undefined; at = at.parent) keys.unshift(`/${escapeKey(at.key)}`);
  return path + keys.join("");
}
