import type { HostileResult } from "../act.ts";
import { attackKinds } from "./attacks.ts";
import type { Answer, Sent } from "./mallory.ts";

const answers: readonly Answer[] = ["stored", "refused", "unanswered", "unheard"];

/** The hostile producer's results in a sentence; none without one. */
export function hostileSummary(results: readonly HostileResult[]): readonly string[] {
  if (results.length === 0) return [];
  const sent = results.flatMap((result) => result.sent);
  const [stored = "", refused = "", unanswered = "", unheard = ""] = answers.map((answer) =>
    count(of(sent, answer).length),
  );
  const sum = (what: "finals" | "letters") => count(results.reduce((all, result) => all + result[what], 0));
  return [
    `The hostile producer sent ${count(sent.length)} messages: ${stored} stored, ${refused} refused, ${unanswered} without an answer, ` +
      `${unheard} whose answer went elsewhere or that were not let through. They became ${sum("finals")} final events ` +
      `of her own and ${sum("letters")} dead letters of her own.`,
  ];
}

/** Her messages by kind, as lines of Markdown. */
export function hostileTable(results: readonly HostileResult[]): readonly string[] {
  if (results.length === 0) return [];
  const sent = Map.groupBy(
    results.flatMap((result) => result.sent),
    ({ kind }) => kind,
  );
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["hostile messages", "sent", ...answers]),
    row(["---", "---", ...answers.map(() => "---")]),
    ...attackKinds.map((kind) => {
      const mine = sent.get(kind) ?? [];
      return row([kind, count(mine.length), ...answers.map((answer) => count(of(mine, answer).length))]);
    }),
    "",
  ];
}

function of(sent: readonly Sent[], answer: Answer): readonly Sent[] {
  return sent.filter((each) => each.answer === answer);
}

function count(value: number): string {
  return value.toLocaleString("en");
}
