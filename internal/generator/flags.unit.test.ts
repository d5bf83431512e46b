import { describe, expect, test } from "vitest";
import { readCommandLine } from "../service/command-line.ts";
import { serviceCommand } from "../service/lifecycle.ts";
import { generatorFlags } from "./flags.ts";

const read = (flag: string, text: string) =>
  readCommandLine(serviceCommand({ name: "generator", summary: ".", flags: generatorFlags }), [
    `--${flag}=${text}`,
  ]);

const accepted: readonly (readonly [flag: string, text: string, value: unknown])[] = [
  ["rate", "0.001", 0.001],
  ["rate", "12.5", 12.5],
  ["rate", "1000000", 1e6],
  ["count", "1", 1],
  ["count", "9007199254740991", Number.MAX_SAFE_INTEGER],
  ["batch", "1", 1],
  ["batch", "1000", 1_000],
  ["seed", "0", 0],
  ["seed", "4294967295", 2 ** 32 - 1],
  ["client", "lucky-7", "lucky-7"],
  ["type", "deposit", "deposit"],
  ["type", "transaction_approved", "transaction_approved"],
];
test.each(accepted)("--%s %s", (flag, text, value) => {
  expect(read(flag, text)).toEqual({ [flag]: value });
});

const refused: readonly (readonly [flag: string, text: string])[] = [
  ["rate", "0"],
  ["rate", "-1"],
  ["rate", "1e3"],
  ["rate", "1000000.5"],
  ["rate", "fast"],
  ["count", "0"],
  ["count", "1.5"],
  ["count", "9007199254740992"],
  ["batch", "0"],
  ["batch", "1001"],
  ["seed", "-1"],
  ["seed", "4294967296"],
  ["client", "Lucky"],
  ["client", "a.b"],
  ["client", "x".repeat(41)],
  ["type", "Jackpot!"],
];
describe('is refused, in words that complete "--flag must …"', () => {
  test.each(refused)("--%s %s", (flag, text) => {
    expect(() => read(flag, text)).toThrow(
      new RegExp(`^--${flag} must be (an? (integer|number) from |of the form|one of )`),
    );
  });
});
