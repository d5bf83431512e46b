import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort, isFree, portRefused, whyNotFree } from "./free-port.ts";

test("a port is free until somebody listens on it", async () => {
  const port = await freePort();
  expect(await isFree(port)).toBe(true);
  const server = createServer().listen(port, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  expect(await isFree(port)).toBe(false);
  expect(await whyNotFree(port)).toBe("EADDRINUSE");
  expect(await freePort(port)).not.toBe(port);
  await new Promise((resolve) => server.close(resolve));
  expect(await freePort(port)).toBe(port);
});

test("one that a user may not have is not said to be taken", () => {
  expect(portRefused(80, "EACCES")).toBe(
    "port 80 may not be used by this user: choose one from 1024 on with --port",
  );
  expect(portRefused(3000, "EADDRINUSE")).toMatch(/^port 3000 is taken: /);
});
