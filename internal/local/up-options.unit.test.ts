import { expect, test } from "vitest";
import { readCommandLine, TextAsked, UsageError } from "../service/command-line.ts";
import { services } from "./services.ts";
import { upCommand } from "./up-options.ts";

const read = (args: readonly string[]) => readCommandLine(upCommand(services), args);

test("the defaults", () => {
  expect(read([])).toEqual({
    rate: undefined,
    producers: [],
    port: 3000,
    data: ".data",
    fresh: false,
    strict: false,
    verbose: false,
    demo: false,
    samples: true,
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
    "--demo",
    "--no-samples",
    "--no-logger",
    "--no-rates",
  ];
  args.push("--producer", "acme-casino:transaction_approved:10", "--producer", "lucky-spin");
  expect(read(args)).toEqual({
    rate: 5.5,
    producers: [
      { client: "acme-casino", type: "transaction_approved", rate: 10 },
      { client: "lucky-spin", type: undefined, rate: undefined },
    ],
    port: 8080,
    data: "/d",
    fresh: true,
    strict: true,
    verbose: false,
    demo: true,
    samples: false,
    without: new Set(["rates", "logger"]),
  });
});

test("every service can be left out, and a rate of 0 leaves out the generator", () => {
  for (const { name } of services) {
    expect(read([`--no-${name}`])).toMatchObject({ without: new Set([name]) });
  }
  expect(read(["--rate", "0"])).toMatchObject({ without: new Set(["generator"]) });
});

test("--help", () => {
  const asked = read(["--help"]);
  const text = asked instanceof TextAsked ? asked.text : "";
  for (const { name } of services) expect(text).toContain(`--no-${name} `);
  expect(text).toContain("DATABASE_URL          use this Postgres instead of starting one");
});

test.each([
  [["--nope"], 'There is no flag --nope: "croupier up --help" lists them.'],
  [["--no-nope"], 'There is no flag --no-nope: "croupier up --help" lists them.'],
  [["--no-loger"], "There is no flag --no-loger: did you mean --no-logger?"],
  [["--frehs"], "There is no flag --frehs: did you mean --fresh?"],
  [["word"], '"word" is not expected: it is croupier up [flags].'],
  [["--port"], "--port needs a value."],
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
  expect(() => read(args)).toThrow(UsageError);
  expect(() => read(args)).toThrow(message);
});
