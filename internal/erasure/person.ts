import { isObject } from "../service/json.ts";

/** Whose data to erase: a player of a client, and the e-mails found for that player. */
export interface Person {
  readonly client: string;
  readonly player: number;
  readonly emails: readonly string[];
}

/** Replaces an e-mail in text. */
const erasedText = "[erased]";

/** Matches the e-mails in a text, in any case; undefined where none are known. */
function emailsOf({ emails }: Person): RegExp | undefined {
  if (emails.length === 0) return undefined;
  // Longest first: one may be the end of another.
  const forms = [...emails]
    .sort((a, b) => b.length - a.length)
    .map((email) => email.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(forms.join("|"), "giu");
}

/** Whether a text contains one of the person's e-mails. */
export function names(person: Person, text: string): boolean {
  return emailsOf(person)?.test(text) ?? false;
}

/** The text with every e-mail of the person replaced. */
export function withoutEmails(person: Person, text: string): string {
  const emails = emailsOf(person);
  return emails === undefined ? text : text.replace(emails, erasedText);
}

/**
 * A message's payload without the person: one event or many, as JSON, an array, lines or a bundle. The player's events
 * lose `player`, and the e-mail is replaced in their description and everything else; so it is in events that name no
 * player. Other players' and clients' events stay unchanged.
 * @param client the message's client; lines of a bundle have their own
 * @returns the same text where the person does not occur; undefined where it names the person and cannot be parsed, or is
 *   nested too deeply to be rewritten
 */
export function withoutPerson(text: string, client: string, person: Person): string | undefined {
  const whole = rewritten(text, client, person);
  if (whole !== undefined) return whole;
  const anew: string[] = [];
  for (const line of text.split("\n")) {
    const without = rewritten(line, client, person);
    if (without === undefined && client === person.client && names(person, line)) return undefined;
    anew.push(without ?? line);
  }
  return anew.join("\n");
}

/** The JSON text itself where nothing changes, with its producer's formatting; undefined when it cannot be rewritten. */
function rewritten(text: string, client: string, person: Person): string | undefined {
  const state = { changed: false };
  try {
    const without = stripped(JSON.parse(text), client, person, state);
    return state.changed ? JSON.stringify(without) : text;
  } catch (err) {
    // No JSON, or nested too deeply to be walked.
    if (err instanceof SyntaxError || err instanceof RangeError) return undefined;
    throw err;
  }
}

function stripped(value: unknown, client: string, person: Person, state: { changed: boolean }): unknown {
  if (Array.isArray(value)) return value.map((each) => stripped(each, client, person, state));
  if (isObject(value) && isObject(value.event) && typeof value.client === "string")
    return { ...value, event: stripped(value.event, value.client, person, state) };
  if (client !== person.client) return value;
  const number = isObject(value) ? value.player_id : undefined;
  if (Number.isSafeInteger(number) && number !== person.player) return value;
  const { player, ...rest } = isObject(value) ? value : { player: undefined };
  if (number !== person.player || player === undefined) return masked(value, emailsOf(person), state);
  state.changed = true;
  const email = isObject(player) && typeof player.email === "string" ? [player.email] : [];
  const { description } = rest;
  const named = `Player #${number} (${email[0]})`;
  const event =
    typeof description === "string" && description.startsWith(named)
      ? { ...rest, description: `Player #${number}${description.slice(named.length)}` }
      : rest;
  return masked(event, emailsOf({ ...person, emails: [...person.emails, ...email] }), state);
}

/** The value with every e-mail in it replaced, wherever it occurs. */
function masked(value: unknown, emails: RegExp | undefined, state: { changed: boolean }): unknown {
  if (emails === undefined) return value;
  if (typeof value === "string") {
    const text = value.replace(emails, erasedText);
    state.changed ||= text !== value;
    return text;
  }
  if (Array.isArray(value)) return value.map((each) => masked(each, emails, state));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map((entry) => entry.map((each) => masked(each, emails, state))),
  );
}
