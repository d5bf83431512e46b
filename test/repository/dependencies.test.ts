import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const page = read("docs/dependencies.md");

interface Package {
  /** Only where it is installed under another one. */
  readonly name?: string;
  readonly version: string;
  readonly license?: string;
  readonly dev?: true;
}
const manifest = JSON.parse(read("package.json")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Package> };
/** All packages, indirect ones included, by their paths. */
const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
const production = packages.filter(([, { dev }]) => !dev);
const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

interface Component {
  readonly "bom-ref": string;
  readonly properties: readonly { readonly name: string }[];
}

/** The rows of the table below a heading, as cells without backticks. */
function table(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const [before = ""] = section.split("\n## ");
  const rows = before.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

describe("docs/dependencies.md", () => {
  test.each([
    ["In production", manifest.dependencies],
    ["In development", manifest.devDependencies],
  ])(
    "%s: lists each package of package.json, with the licence it comes with and a reason",
    (heading, listed) => {
      const rows = table(heading);
      expect(rows.map(([name, licence]) => [name, licence])).toEqual(
        Object.keys(listed)
          .sort()
          .map((name) => [name, (JSON.parse(read(`node_modules/${name}/package.json`)) as Package).license]),
      );
      for (const [name, , reason] of rows) expect(reason, name).toMatch(/.{5}/);
    },
  );

  test("lists every licence of the production tree, and no others", () => {
    expect(production.length).toBeGreaterThan(50);
    const licences = new Set(production.map(([path, { license }]) => license ?? `none: ${path}`));
    expect(
      table("Licences")
        .map(([licence]) => licence)
        .sort(),
    ).toEqual([...licences].sort());
  });

  test("gives a command for a bill of materials, which names everything and marks what no service contains", async () => {
    const [, command = ""] = /^(npm sbom .*?) *#/m.exec(page) ?? [];
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { cwd: root, maxBuffer: 2 ** 24 });
    const { components } = JSON.parse(stdout) as { components: readonly Component[] };
    const isForDevelopment = ({ properties }: Component) =>
      properties.some(({ name }) => name === "cdx:npm:package:development");
    const listed = components.map((component) => [component["bom-ref"], isForDevelopment(component)]);
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(
        packages.map(([path, { name, version, dev = false }]) => [`${name ?? nameOf(path)}@${version}`, dev]),
      ),
    );
  });
});

describe("the lockfile", () => {
  test("has a checksum for everything, so that nothing can be swapped", () => {
    const without = packages.filter(([, entry]) => !("integrity" in entry));
    expect(without.map(([path]) => path)).toEqual([]);
  });

  test("brings no install script into production", () => {
    expect(production.filter(([, entry]) => "hasInstallScript" in entry).map(([path]) => path)).toEqual([]);
  });
});

describe("the workflow", () => {
  interface Job {
    readonly permissions?: unknown;
    readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
  }
  const workflow = parse(read(".github/workflows/ci.yml")) as {
    permissions: unknown;
    jobs: Record<string, Job>;
  };
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  test("may only read", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    expect(jobs.map((job) => job.permissions)).toEqual(jobs.map(() => undefined));
  });

  test("takes every action by its commit", () => {
    const used = steps.flatMap(({ uses }) => uses ?? []);
    expect(used.length).toBeGreaterThan(0);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  });

  test("runs everything there is: the checks, the audit, the containers", () => {
    const run = steps.map((step) => step.run);
    expect(run).toEqual(
      expect.arrayContaining([".ci/run", expect.stringMatching(/^npm audit/), "npm run compose-check"]),
    );
  });
});
