import { expect, test } from "vitest";
import { readCommandLine } from "../../internal/service/command-line.ts";
import { restoreCommand } from "./command.ts";

const read = (...args: readonly string[]) => readCommandLine(restoreCommand, args);

test("nothing is replaced unless that is said", () => {
  expect(read("casino.backup")).toEqual({ file: "casino.backup", replace: false, yes: false });
  expect(read("casino.backup", "--replace", "-y")).toMatchObject({ replace: true, yes: true });
});

test("stdin cannot be the backup and the answer to a question", () => {
  expect(read("-")).toMatchObject({ file: "-" });
  expect(read("-", "--replace", "--yes")).toMatchObject({ file: "-", replace: true });
  expect(() => read("-", "--replace")).toThrow("Stdin is the backup, so nobody can confirm");
});
