import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { connectPostgres } from "./connect.ts";
import { copyInto } from "./copy.ts";
import { CopyRows } from "./copy-rows.ts";

const db = connectPostgres(await databaseForTest(), "test", silent);
afterAll(() => db.destroy());
await sql`create table copied (place int8, t text, i int8, b boolean, at timestamptz, n numeric)`.execute(db);
const { signal } = new AbortController();
const copy = (rows: CopyRows) =>
  copyInto(db, "copy copied (place, t, i, b, at, n) from stdin (format binary)", rows.bytes(), signal);

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const digits = (most: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: most });
const decimal = fc
  .tuple(digits(20), fc.option(digits(20)), fc.option(fc.integer({ min: -30, max: 30 })))
  .map(([whole, decimals, power]) => {
    const fraction = decimals === null ? "" : `.${decimals}`;
    return `${whole}${fraction}${power === null ? "" : `e${power}`}`;
  });
const row = fc.record({
  t: maybe(fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"))),
  i: maybe(fc.maxSafeInteger()),
  b: maybe(fc.boolean()),
  // The years 0000 to 9999.
  at: maybe(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })),
  n: maybe(decimal),
});

test("values arrive as Postgres itself reads them as text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rows) => {
      await sql`truncate copied`.execute(db);
      const written = new CopyRows(6);
      for (const [place, { t, i, b, at, n }] of rows.entries()) {
        written.row();
        written.bigint(place);
        written.text(t);
        written.bigint(i);
        written.boolean(b);
        written.instant(at);
        written.numeric(n);
      }
      await copy(written);
      const { rows: found } = await sql`
        select t, i, b, (extract(epoch from at) * 1000)::int8 as at, n from copied order by place`.execute(
        db,
      );
      const { rows: wanted } = await sql`
        select t, i, b, at, n from json_to_recordset(${JSON.stringify(rows)}) as r (t text, i int8, b boolean, at int8, n numeric)`.execute(
        db,
      );
      expect(found).toEqual(wanted);
    }),
    { numRuns: 50 },
  );
});

test("a statement that fails adds nothing, and its connection is of use afterwards", async () => {
  await sql`truncate copied`.execute(db);
  const short = new CopyRows(5);
  short.row();
  for (let column = 0; column < 5; column++) short.text(undefined);
  await db.connection().execute(async (connection) => {
    const failing = copyInto(connection, "copy copied from stdin (format binary)", short.bytes(), signal);
    await expect(failing).rejects.toMatchObject({ code: "22P04" });
    await expect(sql`select count(*)::int as n from copied`.execute(connection)).resolves.toMatchObject({
      rows: [{ n: 0 }],
    });
  });
});
