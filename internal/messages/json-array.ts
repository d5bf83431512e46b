const comma = 0x2c;
const quote = 0x22;
const backslash = 0x5c;
const [openBracket, closeBracket] = [0x5b, 0x5d];
const [openBrace, closeBrace] = [0x7b, 0x7d];

/** Whether a JSON text is an array, by its first character. */
export function isJsonArray(payload: Uint8Array): boolean {
  return payload[beginning(payload)] === openBracket;
}

/**
 * The elements of a JSON array, each as its bytes, so that a refused one can be shown as it was sent. It only looks at
 * the array's own brackets and commas: the array is valid if each element is, which the caller checks.
 *
 * @param most returns one more than this at most, and looks no further
 * @returns undefined when it is no array
 */
export function arrayElements(payload: Uint8Array, most: number): readonly Uint8Array[] | undefined {
  const elements: Uint8Array[] = [];
  let at = beginning(payload);
  if (payload[at] !== openBracket) return undefined;
  at = skipSpace(payload, at + 1);
  if (payload[at] === closeBracket) return isEnd(payload, at + 1) ? elements : undefined;
  for (;;) {
    const end = endOfElement(payload, at);
    if (end === undefined || end === at) return undefined;
    elements.push(payload.subarray(at, endOfText(payload, at, end)));
    if (elements.length > most) return elements;
    if (payload[end] === closeBracket) return isEnd(payload, end + 1) ? elements : undefined;
    at = skipSpace(payload, end + 1);
  }
}

/** The position of the comma or bracket after an element; undefined when there is none. */
function endOfElement(payload: Uint8Array, from: number): number | undefined {
  let depth = 0;
  for (let at = from; at < payload.length; at++) {
    const byte = payload[at];
    if (byte === quote) {
      at = endOfString(payload, at);
    } else if (byte === openBrace || byte === openBracket) depth++;
    else if (depth > 0 && (byte === closeBrace || byte === closeBracket)) depth--;
    else if (depth === 0 && (byte === comma || byte === closeBracket)) return at;
  }
  return undefined;
}

/** Where the string that starts here ends; the payload's end when it does not. */
function endOfString(payload: Uint8Array, from: number): number {
  let at = payload.indexOf(quote, from + 1);
  while (at >= 0 && isEscaped(payload, at)) at = payload.indexOf(quote, at + 1);
  return at < 0 ? payload.length : at;
}

function isEscaped(payload: Uint8Array, at: number): boolean {
  let backslashes = 0;
  while (payload[at - 1 - backslashes] === backslash) backslashes++;
  return backslashes % 2 === 1;
}

function isEnd(payload: Uint8Array, at: number): boolean {
  return skipSpace(payload, at) === payload.length;
}

/** Skips the byte order mark that some editors write, and white space. */
function beginning(payload: Uint8Array): number {
  const hasMark = payload[0] === 0xef && payload[1] === 0xbb && payload[2] === 0xbf;
  return skipSpace(payload, hasMark ? 3 : 0);
}

function endOfText(payload: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && isSpace(payload[end - 1])) end--;
  return end;
}

/** The first byte from here on that is no JSON white space. */
function skipSpace(payload: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(payload[at])) at++;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
