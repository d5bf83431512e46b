import fc from "fast-check";
import { expect, test } from "vitest";
import { type PlayerRecord, playerKind } from "../players/player-kind.ts";
import { CommandError } from "../service/command-error.ts";
import { importRecords } from "./import.ts";

/** Imports pieces of a file into a memory, and gives what was said. */
async function load(pieces: Iterable<Uint8Array | string>) {
  const stored = new Map<number, PlayerRecord>();
  const refused: string[] = [];
  let largestBatch = 0;
  async function* bytes() {
    for (const piece of pieces) yield typeof piece === "string" ? Buffer.from(piece) : piece;
  }
  const counts = await importRecords(bytes(), {
    kind: playerKind,
    put: async (records) => {
      largestBatch = Math.max(largestBatch, records.length);
      const before = stored.size;
      for (const record of records) stored.set(record.id, record);
      return stored.size - before;
    },
    refuse: (line, why) => refused.push(`${line}: ${why}`),
    progress: () => undefined,
  });
  return { counts, refused, stored: [...stored.values()], largestBatch };
}

const player = (id: number, email: string, last_signed_in_at: string | null = null) => ({
  id,
  email,
  last_signed_in_at,
});

test.each([
  ["commas", "id,email\n1,a@x\n2,b@x\n"],
  ["semicolons, and a byte order mark", "\ufeffid;email\n1;a@x\n2;b@x"],
  ["CRLF, quotes, spaces and blank lines", '"ID" , "Email"\r\n\r\n1 , "a@x"\r\n\r\n "2",b@x\r\n'],
  ["other columns, in another order", "vip,email,id\nyes,a@x,1\n,b@x,2\n"],
  ["NDJSON", '{"id":1,"email":"a@x"}\n\n{"id":2,"email":"b@x","vip":true}'],
  ["NDJSON with a byte order mark", '\ufeff {"id":1,"email":"a@x"}\r\n{"id":2,"email":"b@x"}\r\n'],
])("reads %s", async (_what, file) => {
  const { stored, refused, counts } = await load([file]);
  expect(refused).toEqual([]);
  expect(stored).toEqual([player(1, "a@x"), player(2, "b@x")]);
  expect(counts).toEqual({ added: 2, replaced: 0, refused: 0 });
});

test("bad lines are refused by their numbers, and the others stored", async () => {
  const csv = [
    "id;email;last_signed_in_at",
    '1;"a ""b"" c@x";2022-01-10T12:34:56Z',
    "",
    "2;nobody;yesterday",
    '3;"never closed@x',
    "4;d@x",
    "x;e@x;",
    "5;;",
    '6;f"g@x;',
    "7;a@x;",
    "7;b@x;",
    `8;${"x".repeat(70_000)};`,
    "9;i@x;",
  ];
  const pieces = [...csv.slice(0, 9), "10;\xff;"].map((line, index) =>
    Buffer.from(`${line}\n`, index === 9 ? "latin1" : "utf8"),
  );
  const { stored, refused, counts } = await load([...pieces, csv.slice(9).join("\n")]);
  const quotes = "has a quote that is not closed, or stands inside a field: write it twice, in quotes";
  expect(refused).toEqual([
    '4: email must match pattern "@"',
    `5: ${quotes}`,
    "6: has 2 fields, the first line 3",
    "7: id must be integer",
    "8: email must have required property 'email'",
    `9: ${quotes}`,
    "10: is not UTF-8",
    "13: is longer than 65536 bytes",
  ]);
  expect(stored).toEqual([
    player(1, 'a "b" c@x', "2022-01-10T12:34:56.000Z"),
    player(7, "b@x"),
    player(9, "i@x"),
  ]);
  expect(counts.refused).toBe(8);
});

test("of NDJSON too", async () => {
  const { refused } = await load(['{"id":1,"email":"a@x"}\nid,email\n[]\n{"id":2}\n']);
  expect(refused).toEqual([
    "2: is not JSON",
    "3: must be object",
    "4: email must have required property 'email'",
  ]);
});

test.each([
  ["", "The file holds no player."],
  ["\n \n", "The file holds no player."],
  ["id,email\n", "The file holds no player."],
  ['[{"id":1}]', "The file begins with a JSON array: write each record on a line of its own (NDJSON)."],
  [
    "1,a@x\n",
    /^The first line has to name the columns.*: id and email are missing\. It may have id, email, last/,
  ],
  ["id,e-mail\n", /: email is missing\./],
  ["id,email,ID\n", "The first line names the column id twice."],
  ["\x00\xff", /^The first line has to name|^The first line is not UTF-8\.$/],
])("%j tells nothing", async (file, message) => {
  const failed = load([Buffer.from(file, "latin1")]);
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toBeInstanceOf(CommandError);
});

test("UTF-16, as spreadsheets write it, is said to be no UTF-8", async () => {
  await expect(load([Buffer.from("\ufeffid,email\n1,a@x", "utf16le")])).rejects.toThrow(
    "The first line is not UTF-8.",
  );
});

test("it does not matter how a file comes in pieces", async () => {
  const file = Buffer.from('\ufeffid;email\r\n1;"ä""@x"\r\n\n2;b\n3;c@x');
  const whole = await load([file]);
  expect(whole.stored).toHaveLength(2);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(file.length), { maxLength: 6 }), async (cuts) => {
      const sorted = [0, ...cuts.toSorted((a, b) => a - b), file.length];
      const pieces = sorted.slice(1).map((end, index) => file.subarray(sorted[index], end));
      expect(await load(pieces)).toEqual(whole);
    }),
  );
});

test("no more than a batch is kept, however many lines there are", async () => {
  function* many() {
    yield "id,email\n";
    for (let id = 1; id <= 10_500; id++) yield `${id},${id}@example.com\n`;
  }
  const { counts, largestBatch } = await load(many());
  expect(counts.added).toBe(10_500);
  expect(largestBatch).toBe(1_000);
});
