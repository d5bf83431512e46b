import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { addTypes, archive, archiveForTest, finalBet } from "./database.fixture.ts";
import { EventsTable, insertOf } from "./insert.ts";

const db = await archiveForTest();
await addTypes(db, "login");

// Characters with a meaning in COPY's text format, which would break rows if that were used.
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', "\\", "{", "}", ",", "'", "NULL", " ", "\n", "\t", "é", "🎰"),
    fc.string({ minLength: 1, maxLength: 1 }).filter((unit) => unit !== "\0"),
  ),
});

test("texts arrive as they are, whatever they hold", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
      await sql`truncate events`.execute(db);
      const added = await archive(
        db,
        texts.map((description, index) => finalBet(index + 1, { description })),
      );
      expect(added).toBe(texts.length);
      const { rows } = await sql<{ description: string }>`select description from events order by id`.execute(
        db,
      );
      expect(rows.map(({ description }) => description)).toEqual(texts);
    }),
    { numRuns: 50 },
  );
});

test("what is absent is null, what is empty or false is not", async () => {
  await sql`truncate events`.execute(db);
  const { created_at } = finalBet(1);
  await archive(db, [
    finalBet(1, { has_won: false, amount: 0, player: { email: "", last_signed_in_at: null } }),
    { id: 2, type: "login", created_at, data: { text: 'a "b" \\c' }, description: "" },
  ]);
  const { rows } = await sql`
    select has_won, amount, player_email, player_last_signed_in_at as at, data, description from events
    order by id`.execute(db);
  expect(rows).toEqual([
    { has_won: false, amount: "0", player_email: "", at: null, data: null, description: "Bet #1." },
    {
      has_won: null,
      amount: null,
      player_email: null,
      at: null,
      data: { text: 'a "b" \\c' },
      description: "",
    },
  ]);
});

test("no rows at all are a statement too", async () => {
  expect(await archive(db, [])).toBe(0);
});

test("rows that are there already are left out, wherever they stand among the others", async () => {
  await sql`truncate events`.execute(db);
  const table = new EventsTable(db);
  const { signal } = new AbortController();
  const add = (...ids: readonly number[]) =>
    table.add(
      insertOf(ids.map((id) => ({ client: "casino", source: "test", event: finalBet(id), storedAt: 0 }))),
      signal,
    );
  expect(await add(2, 4)).toBe(2);
  expect(await add(1, 2, 3, 3, 4, 5)).toBe(3);
  expect(await add(1, 5)).toBe(0);
  expect(await add(6)).toBe(1);
  expect(await add(7, 8)).toBe(2);
  expect(await add(8, 9)).toBe(1);
  const { rows } = await sql`select id from events order by id`.execute(db);
  expect(rows).toEqual(Array.from({ length: 9 }, (_, i) => ({ id: String(i + 1) })));
});

test("of several that add the same rows at once each row is added by one", async () => {
  await sql`truncate events`.execute(db);
  const events = Array.from({ length: 300 }, (_, i) => finalBet(i + 1));
  const added = await Promise.all(
    [events, events.slice(100), events.slice(0, 200), events.toReversed()].map((some) => archive(db, some)),
  );
  expect(added.reduce((sum, each) => sum + each, 0)).toBe(300);
});
