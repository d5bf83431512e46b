import { afterAll } from "vitest";
import { endServers } from "./infrastructure.ts";
import { endServices } from "./service.ts";

// Runs before each test file, so before the file's own hooks are registered. vitest runs afterAll hooks last to first: the
// file closes its connections before its servers go.
afterAll(async () => {
  await endServices();
  await endServers();
});
