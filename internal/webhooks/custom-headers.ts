import { type FieldError, fieldError } from "../casino/field-error.ts";

const mostHeaders = 20;
const mostBytes = 4_096;
/** A token of RFC 9110. */
const namePattern = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** Visible ASCII characters with spaces and tabs between them, and no line breaks. */
const valuePattern = /^[!-~](?:[ \t!-~]{0,2000}[!-~])?$/;
/** Headers that Croupier sets, and those that frame or route a message. */
const reserved =
  /^(?:webhook-.*|content-.*|proxy-.*|sec-.*|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|http2-settings|user-agent|accept|accept-encoding|traceparent|tracestate|date|via)$/;

/** Shown in place of header values. */
export const hiddenValue = "***";

/**
 * Reads a client's own headers, with names in lower case. They can neither replace ours nor smuggle in others.
 * @param errors collects the mistakes
 */
export function readCustomHeaders(
  given: Readonly<Record<string, string>>,
  errors: FieldError[],
): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  const entries = Object.entries(given);
  if (entries.length > mostHeaders)
    errors.push(fieldError("/headers", `must have at most ${mostHeaders} headers`));
  for (const [given, value] of entries.slice(0, mostHeaders)) {
    const name = given.toLowerCase();
    const path = `/headers/${given.slice(0, 100)}`;
    if (!namePattern.test(name)) errors.push(fieldError(path, "must have a valid HTTP header name"));
    else if (reserved.test(name)) errors.push(fieldError(path, "must not be a header that the sender sets"));
    else if (headers.has(name)) errors.push(fieldError(path, "must be given once"));
    if (value === hiddenValue)
      errors.push(fieldError(path, `must have its real value, not the placeholder ${hiddenValue}`));
    else if (!valuePattern.test(value))
      errors.push(fieldError(path, "must have a value of 1 to 2000 visible ASCII characters"));
    headers.set(name, value);
  }
  const bytes = [...headers].reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > mostBytes) errors.push(fieldError("/headers", `must have at most ${mostBytes} bytes in all`));
  return Object.fromEntries(headers);
}
