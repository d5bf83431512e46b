import fc from "fast-check";
import { expect, test } from "vitest";
import { csvFields } from "./csv-line.ts";

test.each<[string, string, readonly string[] | undefined]>([
  ["10,john@example.com", ",", ["10", "john@example.com"]],
  ["10;a,b", ";", ["10", "a,b"]],
  [' 10 , "It\'s ""bananas"", twice" ,x\r', ",", ["10", 'It\'s "bananas", twice', "x"]],
  ['"a"\r', ",", ["a"]],
  ['" kept "', ",", [" kept "]],
  ["", ",", [""]],
  [",", ",", ["", ""]],
  ['"",""', ",", ["", ""]],
  ['a"b,c', ",", undefined],
  ['"a"b,c', ",", undefined],
  ['a,"never closed', ",", undefined],
  ['"', ",", undefined],
  ['"""', ",", undefined],
])("%j by %j is %j", (line, delimiter, fields) => {
  expect(csvFields(line, delimiter)).toEqual(fields);
});

test("whatever was quoted comes out again", () => {
  const text = fc.string({ unit: fc.constantFrom('"', ",", ";", " ", "a", "é", "\\") });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), fc.constantFrom(",", ";"), (fields, delimiter) => {
      const line = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(delimiter);
      expect(csvFields(line, delimiter)).toEqual(fields);
    }),
  );
});

test("no line takes long: a regular expression must not try every way to pair its quotes", () => {
  const began = performance.now();
  for (const line of ['"'.repeat(65_535), `"${" ".repeat(65_000)}`, `${'""'.repeat(32_000)}x`])
    csvFields(line, ",");
  expect(performance.now() - began).toBeLessThan(2_000);
});
