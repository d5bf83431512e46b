// Control characters (C0, DEL, C1) can steer a terminal; format characters can reverse a line or hide text.
const steering = /[\p{Cc}\p{Cf}]/gu;

/**
 * Makes a text with foreign parts safe for a terminal: characters that could steer it become escapes (`\u001b`).
 * @param kept characters that stay
 */
export function forTerminal(text: string, kept = "\n\t"): string {
  return text.replace(steering, (char) =>
    kept.includes(char) ? char : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

/** As `forTerminal`, in one line. */
export function onOneLine(text: string): string {
  return forTerminal(text, "");
}
