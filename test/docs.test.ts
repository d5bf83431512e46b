import { globSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { pipeline, stations } from "../internal/enrichment/pipeline.ts";
import { deadReasons } from "../internal/messages/dead-letter.ts";
import {
  apartStream,
  copiesStream,
  deadStream,
  finalStage,
  ledgerStream,
  retryStream,
  stageFilter,
  stageStream,
} from "../internal/messages/subjects.ts";
import { checkNames } from "../internal/proof/check.ts";
import { variables } from "../internal/service/variables.ts";
import { statusKeys } from "../internal/telemetry/status.ts";
import { read, readRows, table } from "./harness/docs-table.ts";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`),
];

const firstColumn = (file: string, heading: string) => table(file, heading).map(([cell]) => cell);

const stagesOfPipeline = [
  ...stations(
    pipeline({ rates: { current: never }, players: { find: never }, games: { titleOf: () => undefined } }),
  ).map((station) => station.takesFrom),
  finalStage,
];
async function never(): Promise<never> {
  throw new Error("only named, never run");
}

describe("the docs", () => {
  test("configuration.md lists every environment variable with its default and meaning", () => {
    const documented = table("docs/configuration.md", "All variables").map(([name, preset, meaning]) => ({
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

  test("commands.md says what every command does", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }; // our own file
    const listed = firstColumn("docs/commands.md", "What each one does").map(
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
      [apartStream, "casino.event.apart.*.*"],
      [deadStream, "casino.dead.>"],
      [ledgerStream, "casino.ledger.>"],
      [copiesStream, "casino.copies.*"],
      [retryStream, "casino.delivery.retry.>"],
    ]);
    const subjects = firstColumn("docs/subjects.md", "Subjects");
    for (const stage of stagesOfPipeline)
      expect(subjects).toContain(stageFilter(stage).replace("*", "<client>").replace("*", "<type>"));
  });

  test("subjects.md explains every key of a status", () => {
    const listed = firstColumn("docs/subjects.md", "Status").flatMap((cell = "") => cell.split(", "));
    expect(listed.filter((key) => /^\w+$/.test(key))).toEqual([...statusKeys]);
  });

  test("metrics.md lists every metric with its kind", () => {
    const made = globSync("internal/**/*.ts", { cwd: root })
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) => [...read(file).matchAll(/\.(counter|gauge|histogram)\(\s*"(croupier_\w+)"/g)])
      .map(([, kind, name]) => `${name} ${kind}`);
    expect(made).toContain("croupier_events_total counter");
    const listed = table("docs/metrics.md", "All of them").map(([name, kind]) => `${name} ${kind}`);
    expect(listed.toSorted()).toEqual(made.toSorted());
  });

  test("operations.md explains every check of a proof", () => {
    expect(firstColumn("docs/operations.md", "Is every event accounted for?")).toEqual([...checkNames]);
  });

  test("guarantees.md explains every reason of a dead letter", () => {
    expect(firstColumn("docs/guarantees.md", "Dead letters")).toEqual([...deadReasons]);
  });

  test.each(pages)("%s links only to what exists", (page) => {
    for (const [link, target = "", anchor] of read(page).matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)) {
      if (target.startsWith("http")) continue;
      const file = target === "" ? page : join(dirname(page), target);
      expect(() => statSync(join(root, file)), `${page} → ${link}`).not.toThrow();
      if (anchor !== undefined) expect(anchorsOf(file), `${page} → ${link}`).toContain(anchor);
    }
  });
});

test("the way through a step is short, and each function on it is where it is said to be", () => {
  const steps = table("docs/architecture.md", "One event through one step");
  expect(steps.length).toBeLessThanOrEqual(10);
  for (const [name = "", file = ""] of steps) {
    const [owner = "", method] = name.split(".");
    expect(read(file)).toMatch(new RegExp(`\\b(class|interface|function) ${owner}\\b`));
    if (method !== undefined) expect(read(file)).toMatch(new RegExp(`^  (async )?${method}\\(`, "m"));
  }
});

test("the table of rooms has every room", () => {
  const rooms = table("docs/architecture.md", "Rooms").flatMap(([names = ""]) => names.split(", "));
  const folders = globSync("internal/*/", { cwd: root }).map((folder) => `${folder.replace(/\/$/, "")}/`);
  expect(folders.length).toBeGreaterThan(20);
  expect(rooms.filter((room) => room.startsWith("internal/")).toSorted()).toEqual(folders.toSorted());
});

/** What nats-server says, and not we. */
const wordsOfTheBroker = ["maximum bytes exceeded"];

test("operations explains no line that nothing writes", () => {
  const source = globSync("{internal,cmd}/**/*.ts", {
    cwd: root,
    exclude: ["**/*.test.ts", "**/*.fixture.ts"],
  })
    .map(read)
    .join("\n");
  const symptoms = readRows("docs/operations.md", "What a symptom means").map(([symptom = ""]) => symptom);
  const lines = symptoms.flatMap((symptom) =>
    [...symptom.matchAll(/`([^`]+ [^`]+)`/g)].map(([, line = ""]) => line),
  );
  expect(lines.length).toBeGreaterThan(10);
  // What stands for a value, or comes from somewhere else in the code, is between these.
  const parts = lines.flatMap((line) => line.split(/ ?… ?|: /)).filter((part) => part.includes(" "));
  expect(parts.filter((part) => !source.includes(part) && !wordsOfTheBroker.includes(part))).toEqual([]);
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(file: string): readonly string[] {
  return [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The default ports, read where the services name them. */
function servicePorts(): readonly (readonly [string, string])[] {
  return readdirSync(join(root, "cmd")).flatMap((service) => {
    const port = /^\s+port: (\d+),/m.exec(read(relative(root, join(root, "cmd", service, "main.ts"))))?.[1];
    return port === undefined ? [] : [[service, port] as const];
  });
}
