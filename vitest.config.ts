import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes half a minute or so, and would run alone at the end if it were not begun first. */
const longest = [
  "test/chaos/chaos.test.ts",
  "test/shutdown.test.ts",
  "internal/proof/clean-runs.test.ts",
  "internal/actor/poison.test.ts",
  "test/repository/documented-commands.test.ts",
  "test/repository/add-a-step.test.ts",
  "test/commands.test.ts",
  "test/servers-away.test.ts",
  "internal/actor/loop-retries.test.ts",
  "test/custom-types.test.ts",
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

/** What is around the code: the commands of the docs, Task, the packages, and the dashboard in a browser. */
const repository = ["test/repository/**/*.test.ts", "test/dashboard/**/*.test.ts"];
/**
 * Whole programs as processes of their own, and the whole system under faults: they take minutes, and the machine for themselves.
 * `npm run test:all` has these two, `npm test` has not.
 */
const system = [
  "test/{chaos/chaos,shutdown,up,fuzz,outages,locked-pipeline}.test.ts",
  "cmd/{enricher,gateway,materializer,archiver,sender}/main.test.ts",
  "internal/logger/lines.test.ts",
  "internal/actor/poison.test.ts",
  "internal/proof/{clean-runs,planted-faults,bundle-faults}.test.ts",
];
/** Tests of the code alone. They and the tests with servers share processes, which load once what the files have in common. */
const units = "**/*.unit.test.ts";
const withServers = {
  globalSetup: ["test/harness/global-setup.ts"],
  setupFiles: ["test/harness/end-of-file.ts"],
};
const rooms = ["bench", "cmd", "internal", "migrations", "test"];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // A test mostly waits for other processes: as many files at once as keep two cores busy, and three for each core beyond.
    maxWorkers: 3 * Math.max(2, availableParallelism()),
    // Bounds for what has failed, above those of the waits within (test/harness/wait-for.ts).
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: { name: "units", include: rooms.map((room) => `${room}/${units}`), isolate: false },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: rooms.map((room) => `${room}/**/*.test.ts`),
          exclude: [units, ...repository, ...system],
          ...withServers,
          isolate: false,
        },
      },
      ...Object.entries({ system, repository }).map(([name, include]) => ({
        extends: true as const,
        test: { name, include, ...withServers },
      })),
    ],
  },
});
