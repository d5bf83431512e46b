import { readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { deadReasons } from "../internal/actor/dead-letter.ts";
import { variables } from "../internal/config.ts";
import { pipeline, stations } from "../internal/enrichment/pipeline.ts";
import {
  deadStream,
  finalStage,
  ledgerStream,
  stageFilter,
  stageStream,
} from "../internal/jetstream/subjects.ts";
import { checkNames } from "../internal/proof/check.ts";
import { read, table } from "./harness/docs-table.ts";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs")).map((file) => `docs/${file}`),
];

const firstColumn = (file: string, heading: string) => table(file, heading).map(([cell]) => cell);

const stagesOfPipeline = [
  ...stations(pipeline({ rates: { current: never }, players: { find: never } })).map(
    (station) => station.takesFrom,
  ),
  finalStage,
];
async function never(): Promise<never> {
  throw new Error("only named, never run");
}

describe("the docs", () => {
  test("README lists every environment variable with its default and meaning", () => {
    const documented = table("README.md", "Configuration").map(([name, preset, meaning]) => ({
      name,
      preset,
      meaning,
    }));
    const actual = Object.entries(variables).map(
      ([name, variable]: [string, { doc: string; default?: string }]) => ({
        name,
        preset: variable.default ?? "",
        meaning: variable.doc.replaceAll("`", ""),
      }),
    );
    const perService = documented.find(({ name }) => name === "HTTP_PORT");
    expect(documented.filter(({ name }) => name !== "HTTP_PORT")).toEqual(
      actual.filter(({ name }) => name !== "HTTP_PORT"),
    );
    for (const [service, port] of servicePorts()) expect(perService?.preset).toContain(`${service} ${port}`);
  });

  test("README lists every command", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }; // our own file
    const listed = firstColumn("README.md", "Commands").map(
      (cell) => /^npm (?:run )?(\S+)/.exec(cell ?? "")?.[1],
    );
    expect(listed.toSorted()).toEqual(
      Object.keys(scripts)
        .filter((name) => name !== "format")
        .sort(),
    );
  });

  test("subjects.md lists every stage's subject and stream", () => {
    const streams = table("docs/subjects.md", "Streams").map(([name, filter]) => [name, filter]);
    expect(streams).toEqual([
      ...stagesOfPipeline.map((stage) => [stageStream(stage), stageFilter(stage)]),
      [deadStream, "casino.dead.>"],
      [ledgerStream, "casino.ledger.>"],
    ]);
    const subjects = firstColumn("docs/subjects.md", "Subjects");
    for (const stage of stagesOfPipeline)
      expect(subjects).toContain(stageFilter(stage).replace("*", "<client>").replace("*", "<type>"));
  });

  test("operations.md explains every check of a proof", () => {
    expect(firstColumn("docs/operations.md", "Is every event accounted for?")).toEqual([...checkNames]);
  });

  test("guarantees.md explains every reason of a dead letter", () => {
    expect(firstColumn("docs/guarantees.md", "Dead letters")).toEqual([...deadReasons]);
  });

  test.each(pages)("%s links only to what exists", (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s]+)(#[^)\s]*)?\)/g)].map(([, target = ""]) => target);
    for (const target of links.filter((link) => !link.startsWith("http")))
      expect(() => statSync(join(root, dirname(page), target)), `${page} → ${target}`).not.toThrow();
  });
});

/** The default ports, read where the services name them. */
function servicePorts(): readonly (readonly [string, string])[] {
  return readdirSync(join(root, "cmd")).flatMap((service) => {
    const port = /^\s+port: (\d+),/m.exec(read(relative(root, join(root, "cmd", service, "main.ts"))))?.[1];
    return port === undefined ? [] : [[service, port] as const];
  });
}
