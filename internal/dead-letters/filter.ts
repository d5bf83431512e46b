import { deadReasons } from "../messages/dead-letter.ts";
import type { LetterHead } from "../messages/letter.ts";

/** Selects letters: all given conditions must hold. */
export interface LetterFilter {
  readonly reason?: string | undefined;
  readonly step?: string | undefined;
  readonly client?: string | undefined;
}

// Tokens of a subject. Anybody who publishes there names the client, so it need not be a valid name.
export const TOKEN_PATTERN = "^[^\\s.*>\\p{C}]{1,100}$";
const token = new RegExp(TOKEN_PATTERN, "u");

/** What a filter's value must be, as the end of a sentence, and whether a text is that. */
export const filterForms = {
  reason: {
    must: `be one of ${deadReasons.join(", ")}`,
    fits: (text: string) => deadReasons.some((reason) => reason === text),
  },
  step: { must: "be the name of a step, such as currency", fits: (text: string) => token.test(text) },
  client: { must: "be the name of a client, such as casino", fits: (text: string) => token.test(text) },
} as const;

/** The part of a filter that the broker can apply. */
export function subjectOf({ step = "*", client = "*" }: LetterFilter): string {
  // Without either, also messages there that are no letters.
  return step === "*" && client === "*" ? "casino.dead.>" : `casino.dead.${step}.${client}`;
}

export function matches(head: LetterHead, { reason, step, client }: LetterFilter): boolean {
  return (
    (reason === undefined || head.reason === reason) &&
    (step === undefined || head.step === step) &&
    (client === undefined || head.client === client)
  );
}

/** Parses a letter's number; undefined when it is none. */
export function readSeq(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number(text) >= 1 && Number.isSafeInteger(Number(text))
    ? Number(text)
    : undefined;
}
