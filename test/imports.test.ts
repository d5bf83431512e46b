import { globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const files = globSync("{cmd,internal,migrations,bench,test}/**/*.ts", { cwd: root });

interface Import {
  readonly file: string;
  /** The imported file, from the project's root; a package by its name. */
  readonly target: string;
  /** Gone when the code runs. */
  readonly typeOnly: boolean;
}

const form =
  /^(?:import|export)\b( type)?[^"'();=]*?\bfrom "([^"]+)"|^import "([^"]+)"|^[^/*\n]*\bimport\("([^"]+)"\)/gm;

function importsOf(file: string, source: string): readonly Import[] {
  return [...source.matchAll(form)].map(([, type, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? "";
    const target = specifier.startsWith(".") ? join(dirname(file), specifier) : specifier;
    return { file, target, typeOnly: type !== undefined };
  });
}

const sourceOf = (file: string) => readFileSync(join(root, file), "utf8");
/** Beside the code but never part of a service. */
const isForTests = (file: string) => /\.(test|fixture|arbitrary|example)\.ts$/.test(file);
const imports = files.filter((file) => !isForTests(file)).flatMap((file) => importsOf(file, sourceOf(file)));

/** Imports of files below `from` that lead to none of `allowed`, as lines for a person. */
function strays(
  from: string,
  allowed: readonly string[],
  among: readonly Import[] = imports,
): readonly string[] {
  const isOurs = (target: string) => /^(cmd|internal|migrations|bench|test)\//.test(target);
  return among
    .filter(({ file, target }) => file.startsWith(from) && isOurs(target))
    .filter(({ target }) => !allowed.some((prefix) => target.startsWith(prefix)))
    .map(({ file, target }) => `${file} imports ${target}`);
}

describe("imports", () => {
  test("are found, in each of the ways they are written", () => {
    const source = [
      'import { a } from "./one.ts";',
      "import {",
      "  b,",
      "  type c,",
      '} from "../two.ts";',
      'export type { d } from "three";',
      'import "./four.ts";',
      'const five = await import("./five.ts");',
      'const text = "from nowhere";',
      'export const six = () => "seven";',
      '// import("./six.ts")',
    ].join("\n");
    expect(importsOf("internal/room/file.ts", source).map(({ target }) => target)).toEqual([
      "internal/room/one.ts",
      "internal/two.ts",
      "three",
      "internal/room/four.ts",
      "internal/room/five.ts",
    ]);
    expect(imports.length).toBeGreaterThan(200);
  });

  test("that stray are found", () => {
    const made = importsOf("internal/casino/money.ts", 'import { x } from "../rates/api.ts";');
    expect(strays("internal/casino/", ["internal/casino/"], made)).toEqual([
      "internal/casino/money.ts imports internal/rates/api.ts",
    ]);
  });

  test("all lead to a file that is there", () => {
    const own = imports.filter(({ target }) => /^(cmd|internal|migrations|bench|test)\//.test(target));
    expect(own.filter(({ target }) => !files.includes(target))).toEqual([]);
  });

  test.each([
    ["cmd/", "wires what lies in internal/", ["internal/"]],
    ["internal/", "knows nothing of commands, tests and benchmarks", ["internal/"]],
    ["internal/casino/", "is the domain: it knows nothing else", ["internal/casino/"]],
    [
      "internal/enrichment/",
      "declares what it needs of the world and never imports who gives it",
      ["internal/enrichment/", "internal/actor/", "internal/casino/", "internal/jetstream/subjects.ts"],
    ],
    [
      "internal/jetstream/",
      "knows the broker, and nothing of events and steps",
      [
        "internal/jetstream/",
        "internal/config.ts",
        "internal/log.ts",
        "internal/health.ts",
        "internal/traps.ts",
        "internal/unavailable.ts",
      ],
    ],
    ["migrations/", "are frozen: they import no application code", []],
  ])("%s %s", (from, _why, allowed) => {
    expect(files.some((file) => file.startsWith(from))).toBe(true);
    expect(strays(from, allowed)).toEqual([]);
  });

  test("go round in no circle", () => {
    const targets = Map.groupBy(
      imports.filter(({ typeOnly }) => !typeOnly),
      ({ file }) => file,
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      if (done.has(file) || path.includes(file)) return;
      for (const { target } of targets.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of targets.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});

test("only internal/config.ts reads the environment; internal/local/ may pass it on whole to what it starts", () => {
  const reading = files
    .filter((file) => /^(cmd|internal|migrations)\//.test(file) && !isForTests(file))
    .filter((file) => {
      const source = file.startsWith("internal/local/")
        ? sourceOf(file).replaceAll("...process.env,", "")
        : sourceOf(file);
      return /\bprocess\.env\b(?!`)/.test(source);
    });
  expect(reading).toEqual(["internal/config.ts"]);
});

test("every file is named for what it holds", () => {
  const vague = /(^|\/)(utils?|helpers?|types?|interfaces?|common|misc|index)\.ts$/;
  expect("internal/casino/utils.ts").toMatch(vague);
  expect(files.filter((file) => vague.test(file))).toEqual([]);
});
