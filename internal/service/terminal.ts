// Control characters (C0, DEL, C1) can steer a terminal; format characters can turn a line's order around or hide text.
const steering = /[\p{Cc}\p{Cf}]/gu;

/**
 * Text in which something came from outside, fit for a terminal: what could steer it becomes an escape (`\u001b`).
 * @param kept such characters that stay
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
