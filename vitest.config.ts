import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes half a minute or so, and would run alone at the end if it were not begun first. */
const longest = [
  "test/chaos/chaos.test.ts",
  "test/shutdown.test.ts",
  "cmd/dead-letters/main.test.ts",
  "internal/proof/clean-runs.test.ts",
  "internal/logger/lines.test.ts",
  "internal/actor/poison.test.ts",
  "test/documented-commands.test.ts",
  "test/commands.test.ts",
  "test/add-a-step.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => longest.some((name) => moduleId.endsWith(name));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

// Tests start processes by the hundred: what node makes of a source file is kept, for these and the next ones.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compile");

const all = ["cmd", "internal", "migrations", "test"].map((room) => `${room}/**/*.test.ts`);

/** Needs a process of its own: it uses servers or other processes, or looks at what its own process is like. */
const ownProcess =
  /harness\/|\.fixture\.ts|node:child_process|node:worker_threads|afterAll|process\.|globalThis/;
/** The others share one, and load what they have in common once. */
const together = globSync(all).filter((file) => !ownProcess.test(readFileSync(file, "utf8")));

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // Most of a test's time is waiting for other processes: more files at once than the default of one on two cores.
    maxWorkers: 3,
    // Each file starts servers of its own on a machine that may have two cores: a minute is a bound, not a wait.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "units", include: together, isolate: false } },
      {
        extends: true,
        test: {
          name: "servers",
          include: all,
          exclude: together,
          globalSetup: ["test/harness/global-setup.ts"],
        },
      },
    ],
  },
});
