import { createContext, Script } from "node:vm";
import type { DataCheck } from "../casino/decode.ts";
import type { FieldError } from "../casino/field-error.ts";

/**
 * The first part of a schema for which the time of a check may grow faster than the data: a regular expression that
 * can backtrack, or distinct items. Some hundred characters can keep such an expression busy for years.
 * @returns the part as "keyword value", undefined when every check is fast
 */
export function costlyPart(schema: unknown): string | undefined {
  const open: unknown[] = [schema];
  while (open.length > 0) {
    const part = open.pop();
    if (typeof part !== "object" || part === null) continue;
    for (const [key, value] of Object.entries(part)) {
      if (key === "uniqueItems" && value === true) return "uniqueItems";
      // The one of ajv's formats that takes time by the square of the text's length; "uri" does not.
      if (key === "format" && value === "url") return "format url";
      const patterns =
        key === "pattern"
          ? [value]
          : key === "patternProperties" && typeof value === "object" && value !== null
            ? Object.keys(value)
            : [];
      for (const pattern of patterns)
        if (typeof pattern === "string" && mayBacktrack(pattern)) return `${key} ${pattern}`;
      open.push(value);
    }
  }
  return undefined;
}

/**
 * Whether matching a text may take more than one pass over it. Only the plainest expressions are known not to: at most
 * one repetition of varying length, of a single character, in an expression that is tried at the text's start only.
 * Errs on the side of caution.
 */
function mayBacktrack(pattern: string): boolean {
  const plain = pattern
    .replace(/\\[1-9k]/g, "()?")
    .replace(/\\./gs, "x")
    .replace(/\[[^\]]*\]/g, "x")
    .replace(/\(\?(?:[:=!]|<[=!]?)/g, "(");
  if (/\)[*+?{]/.test(plain)) return true;
  const repetitions = plain.match(/[*+?]|\{\d+,\d*\}/g)?.length ?? 0;
  const groups = plain.split("(").length - 1;
  if (plain.includes("|") && repetitions + groups > 1) return true;
  return repetitions > 1 || (repetitions === 1 && (!plain.startsWith("^") || plain.includes("|")));
}

const context: { job: () => unknown } = { job: () => undefined };
createContext(context);
const runJob = new Script("job()");

/**
 * Bounds the time of a check; also within a regular expression, which nothing else can interrupt. It costs about a tenth of a
 * millisecond per call, and the process does nothing else meanwhile.
 * @param ms of the wall clock
 * @param late the errors when the time was up
 */
export function withinTime(ms: number, check: DataCheck, late: () => readonly FieldError[]): DataCheck {
  return (data) => {
    let errors: readonly FieldError[] = [];
    context.job = () => {
      errors = check(data);
    };
    try {
      runJob.runInContext(context, { timeout: ms });
      return errors;
    } catch (err) {
      // Made in the other context: no instance of this one's Error.
      const isLate = Object(err).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
      if (isLate) return late();
      throw err;
    } finally {
      context.job = () => undefined;
    }
  };
}
