import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["cmd/**/*.test.ts", "internal/**/*.test.ts", "migrations/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/harness/global-setup.ts"],
    // Most of a test's time is waiting for other processes: more files at once than the default of one on two cores.
    maxWorkers: 3,
    // Tests start services by the hundred: what node makes of a source file is kept, for these and the next ones.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compile") },
    // Each file starts servers of its own on a machine that may have two cores: a minute is a bound, not a wait.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
