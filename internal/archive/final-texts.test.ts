import { sql } from "kysely";
import { expect, test } from "vitest";
import { addTypes, archive, archiveForTest, largeEvents } from "./database.fixture.ts";
import { type FinalText, finalOf, finalsByStoring, type StoringPosition } from "./final-texts.ts";

const db = await archiveForTest();

test("pages of large events end early, and nothing is missing", async () => {
  await addTypes(db, "blob");
  await archive(db, largeEvents(20));
  const all: FinalText[] = [];
  let after: StoringPosition | undefined;
  for (let pages = 1, hasMore = true; hasMore; pages++) {
    const page = await finalsByStoring(db, sql`client_id = 'casino'`, after, 500);
    expect(page.finals.length).toBeLessThanOrEqual(8);
    all.push(...page.finals);
    after = page.finals.at(-1);
    hasMore = page.hasMore;
    expect(pages).toBeLessThanOrEqual(3);
  }
  expect(all.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  const one = await finalOf(db, { client: "casino", source: "test", id: 1 });
  expect(JSON.parse(one?.text ?? "")).toEqual(largeEvents(1)[0]);
});
