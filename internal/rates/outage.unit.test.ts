import { pino } from "pino";
import { expect, test } from "vitest";
import { outage } from "./outage.ts";

test("an outage is logged once for each of its reasons, as many as wanted, and once when it is over", () => {
  const lines: unknown[] = [];
  const log = pino(
    { level: "info" },
    {
      write: (line) => {
        const { msg, reason } = JSON.parse(line);
        lines.push(reason === undefined ? msg : `${msg} (${reason})`);
      },
    },
  );
  const away = outage(log, "it", "all wait", 3);
  away.over();
  for (const reason of ["no answer", "no answer", "status 500", "no answer"]) away.began(new Error(reason));
  away.over();
  away.over();
  away.began(new Error("no answer"));
  const seen = ["it failed: all wait (no answer)", "it failed: all wait (status 500)", "it works again"];
  expect(lines).toEqual([...seen, seen[0]]);

  for (let i = 0; i < 100; i++) away.began(new Error(`attempt ${i}`));
  expect(lines).toHaveLength(4 + 2);

  const once = outage(log, "that", "some wait");
  for (const reason of ["no answer", "status 500"]) once.began(new Error(reason));
  expect(lines.slice(6)).toEqual(["that failed: some wait (no answer)"]);
});
