import { expect, test } from "vitest";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { bundleLine, bundleMessage } from "../messages/bundle.ts";
import { bundledIn } from "./bundled.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const accepted = ["41 7", "42 7", "50.3/20 9"];
const lines = [...accepted, undefined].map((number) => {
  const envelope = { client: "casino", source: "till", traceparent };
  return bundleLine(number === undefined ? envelope : { ...envelope, accepted: number }, '{"id":1}');
});
const read = (texts: readonly string[], listed: readonly string[], count?: string) => {
  const { payload, headers } = bundleMessage("priced", texts, listed, "id");
  const head = ReceivedHeaders.from(headers);
  const changed =
    count === undefined ? head : new ReceivedHeaders(`NATS/1.0\r\nCasino-Accepted: ${count}\r\n\r\n`);
  return bundledIn({ headers: changed, data: Buffer.from(payload) });
};
const numbers = [{ number: 41 }, { number: 42 }, { number: 50, line: 3, lines: 20 }];

test("the events of a bundle are those that its headers list, if they list as many as it carries", () => {
  expect(read(["nobody reads this\n"], ["41 7"])).toEqual({ numbers: [{ number: 41 }], strangers: [] });
  expect(read(lines.slice(0, 3), accepted)).toEqual({ numbers, strangers: [] });
});

test.each([
  ["with an event of nobody's", undefined],
  ["that says nothing", ""],
  ["with a list that is none", "1-2,nonsense"],
  ["with a list that would take all memory", "1-9007199254740991"],
])("of one %s, those that its lines name", (_what, list) => {
  const found = read(lines, accepted, list);
  expect(found.numbers).toMatchObject(numbers);
  expect(found.strangers).toEqual([4]);
});

test("of half a million lines, and of lines that nobody can read, few are looked at", () => {
  const found = read(["1\n".repeat(300_000), ...lines], []);
  expect(found).toEqual({ numbers: [], strangers: [] });
});
