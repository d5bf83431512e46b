import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { redisCounter } from "../internal/http/request-counter.ts";
import { redisLock } from "../internal/rates/lock.ts";
import { silent } from "./harness/broker.ts";
import { read } from "./harness/docs-table.ts";
import { redisServerForTest } from "./harness/infrastructure.ts";
import { waitFor } from "./harness/wait-for.ts";

test("the Redis user of the docs may do what the services do, and nothing else", async () => {
  const [, name = "", rules = ""] = /^user (\S+) (.*)$/m.exec(read("docs/security.md")) ?? [];
  const password = /(?:^| )>(\S+)/.exec(rules)?.[1] ?? "";
  const server = await redisServerForTest();
  const admin = new Redis(server.url);
  onTestFinished(() => admin.disconnect());
  await admin.call("ACL", "SETUSER", name, ...rules.split(" "));
  const url = Object.assign(new URL(server.url), { username: name, password }).href;

  const lock = redisLock({ url, log: silent });
  onTestFinished(() => lock.close());
  const lease = await lock.acquire();
  expect(await lock.acquire()).toBeUndefined();
  await lease?.release();
  expect(await lock.acquire()).toBeDefined();

  const counter = redisCounter(url, silent);
  onTestFinished(() => counter.close());
  await waitFor(() => counter.problem === undefined);
  expect(await counter.count("key", 60_000)).toMatchObject({ current: 1 });
  expect(await counter.count("key", 60_000)).toMatchObject({ current: 2 });
  expect(counter.problem).toBeUndefined();
  expect(await admin.call("ACL", "LOG")).toEqual([]);

  const user = new Redis(url);
  onTestFinished(() => user.disconnect());
  const refused = [
    ["GET", "others"],
    ["FLUSHALL"],
    ["KEYS", "*"],
    ["CONFIG", "GET", "*"],
    ["CLIENT", "LIST"],
    ["ACL", "LIST"],
    ["SHUTDOWN"],
    ["PUBLISH", "channel", "text"],
  ] as const;
  for (const [command, ...args] of refused)
    await expect(user.call(command, ...args), command).rejects.toThrow(/^NOPERM/);
});
