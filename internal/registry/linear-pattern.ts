import { RE2JS } from "re2js";

/** A regular expression that RE2 does not support; the message says what to write instead. */
class UnknownPattern extends Error {
  override readonly name = "UnknownPattern";
}

interface LinearPattern {
  test(text: string): boolean;
  toString(): string;
}

/**
 * The engine for `pattern` and `patternProperties`, in the form that ajv expects: RE2, whose time is linear in the text
 * and which never backtracks. It takes JavaScript's syntax without look-around and back-references; `.` matches all but a
 * line feed, and `\s` is ASCII white space.
 * @throws UnknownPattern
 */
export function linearPattern(pattern: string): LinearPattern {
  try {
    // The translation would turn it into a plain k.
    if (/(?<!\\)(?:\\\\)*\\k/.test(pattern)) throw new Error("invalid escape sequence: `\\k`");
    const compiled = RE2JS.compile(RE2JS.translateRegExp(withWholeCharacters(pattern)));
    // Ajv keeps one engine per text of the expression.
    return { test: (text) => compiled.test(text), toString: () => `/${pattern}/` };
  } catch (err) {
    const reason = err instanceof Error ? err.message.replace(/^error parsing regexp: /, "") : String(err);
    throw new UnknownPattern(
      `the pattern ${pattern.slice(0, 100)} is none of RE2 (${reason.slice(0, 200)}): write it without look-around, back-references, counts above 1000 and long names of Unicode classes`,
      { cause: err },
    );
  }
}

/** `\ud83d\ude00` stands for one character, which RE2 needs as such. */
function withWholeCharacters(pattern: string): string {
  return pattern.replace(
    /(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/gi,
    (_all, before: string, high: string, low: string) =>
      `${before}${String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low, 16))}`,
  );
}

/** Ajv would write this into generated code files, which we do not use. */
linearPattern.code = "linearPattern";
