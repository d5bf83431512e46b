import { expect, test } from "vitest";
import { UsageError } from "../command-line.ts";
import { services } from "./services.ts";
import { readUpOptions, upHelp } from "./up-options.ts";

test("the defaults", () => {
  expect(readUpOptions([], services)).toEqual({
    rate: undefined,
    producers: [],
    port: 3000,
    data: ".data",
    fresh: false,
    strict: false,
    without: new Set(),
  });
});

test("every flag", () => {
  const args = [
    "--rate",
    "5.5",
    "--port=8080",
    "--data",
    "/d",
    "--fresh",
    "--strict",
    "--no-logger",
    "--no-rates",
  ];
  args.push("--producer", "acme-casino:transaction_approved:10", "--producer", "lucky-spin");
  expect(readUpOptions(args, services)).toEqual({
    rate: 5.5,
    producers: [
      { client: "acme-casino", type: "transaction_approved", rate: 10 },
      { client: "lucky-spin", type: undefined, rate: undefined },
    ],
    port: 8080,
    data: "/d",
    fresh: true,
    strict: true,
    without: new Set(["rates", "logger"]),
  });
});

test("every service can be left out, and a rate of 0 leaves out the generator", () => {
  for (const { name } of services) {
    expect(readUpOptions([`--no-${name}`], services)).toMatchObject({ without: new Set([name]) });
    expect(upHelp(services)).toContain(name);
  }
  expect(readUpOptions(["--rate", "0"], services)).toMatchObject({ without: new Set(["generator"]) });
});

test("--help", () => {
  expect(readUpOptions(["--help"], services)).toBe("help");
});

test.each([
  [["--nope"], "Unknown option '--nope'; --help lists the flags."],
  [["--no-nope"], "Unknown option '--no-nope'; --help lists the flags."],
  [["word"], "Unexpected argument 'word'; --help lists the flags."],
  [["--port"], "Option '--port <value>' argument missing; --help lists the flags."],
  [["--rate", "-1"], ""],
  [["--rate", "fast"], '--rate must be a number from 0.001 to 1000000, or 0 for none, not "fast".'],
  [["--rate", ""], '--rate must be a number from 0.001 to 1000000, or 0 for none, not "".'],
  [["--producer", "a:b:c:d"], '--producer must be of the form client[:type[:rate]], not "a:b:c:d".'],
  [["--port", "65536"], '--port must be an integer from 1 to 65535, not "65536".'],
  [
    ["--port", "x", "--data", ""],
    '--port must be an integer from 1 to 65535, not "x".\n--data must name a folder.',
  ],
])("%j is refused", (args, message) => {
  expect(() => readUpOptions(args, services)).toThrow(UsageError);
  expect(() => readUpOptions(args, services)).toThrow(message);
});
