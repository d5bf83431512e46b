import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrayElements, isJsonArray } from "./json-array.ts";

const elements = (text: string, most = 1_000) =>
  arrayElements(Buffer.from(text), most)?.map((bytes) => Buffer.from(bytes).toString());

describe("the elements of a JSON array", () => {
  test.each<[string, readonly string[] | undefined]>([
    ["[]", []],
    [" [ ] \n", []],
    ["[1]", ["1"]],
    ["\uFEFF[1,2]", ["1", "2"]],
    [' [ {"a":[1,{"b":2}]} ,\r\n\t"x,]\\"[{" , null ] ', ['{"a":[1,{"b":2}]}', '"x,]\\"[{"', "null"]],
    ['["\\\\","\\\\\\""]', ['"\\\\"', '"\\\\\\""']],
    // Elements that are no JSON are for their reader to refuse.
    ["[}]", ["}"]],
    ["[1 2]", ["1 2"]],
    ["", undefined],
    ["{}", undefined],
    ["[", undefined],
    ["[1", undefined],
    ["[1,", undefined],
    ["[1,]", undefined],
    ["[,1]", undefined],
    ["[1]]", undefined],
    ["[1] x", undefined],
    ['["', undefined],
    ['["\\"]', undefined],
  ])("of %j", (text, expected) => expect(elements(text)).toEqual(expected));

  test("are each as the parser reads it, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), fc.nat(4), (values, indent) => {
        const text = JSON.stringify(values, null, indent);
        expect(isJsonArray(Buffer.from(text))).toBe(true);
        expect(elements(text)?.map((element) => JSON.parse(element))).toEqual(JSON.parse(text));
      }),
    );
  });

  test("that are too many are looked at no further", () => {
    expect(elements(`[${"1,".repeat(480_000)}1]`, 1_000)).toHaveLength(1_001);
    expect(elements("[1,2,nonsense", 1)).toEqual(["1", "2"]);
  });
});
