import { RE2JS } from "re2js";

/** A regular expression that RE2 does not know; the message says what to write instead. */
export class UnknownPattern extends Error {
  override readonly name = "UnknownPattern";
}

interface LinearPattern {
  test(text: string): boolean;
  toString(): string;
}

/**
 * The engine of `pattern` and `patternProperties`, in the form that ajv asks for: RE2, which takes time by the length of
 * the text and never backtracks. The expressions are those of JavaScript without look-around and back-references; `.` takes
 * all but a line feed, and `\s` is white space of ASCII.
 * @throws UnknownPattern
 */
export function linearPattern(pattern: string): LinearPattern {
  try {
    // The translation would make of it a plain k.
    if (/(?<!\\)(?:\\\\)*\\k/.test(pattern)) throw new Error("invalid escape sequence: `\\k`");
    const compiled = RE2JS.compile(RE2JS.translateRegExp(withWholeCharacters(pattern)));
    // Ajv keeps one engine for all that read the same as a text.
    return { test: (text) => compiled.test(text), toString: () => `/${pattern}/` };
  } catch (err) {
    const reason = err instanceof Error ? err.message.replace(/^error parsing regexp: /, "") : String(err);
    throw new UnknownPattern(
      `the pattern ${pattern.slice(0, 100)} is none of RE2 (${reason.slice(0, 200)}): write it without look-around, back-references, counts above 1000 and long names of Unicode classes`,
      { cause: err },
    );
  }
}

/** `\ud83d\ude00` stands for one character, which RE2 wants as such. */
function withWholeCharacters(pattern: string): string {
  return pattern.replace(
    /(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/gi,
    (_all, before: string, high: string, low: string) =>
      `${before}${String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low, 16))}`,
  );
}

/** What ajv would write into code that is kept in files, which ours never is. */
linearPattern.code = "linearPattern";
