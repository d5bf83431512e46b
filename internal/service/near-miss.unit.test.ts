import { expect, test } from "vitest";
import { nearMiss } from "./near-miss.ts";

const names = ["NATS_URL", "NATS_CREDS", "DATABASE_URL", "REDIS_URL", "HTTP_PORT", "HTTP_HOST", "STEPS"];

test.each([
  ["NATS_ULR", "NATS_URL"],
  ["NATS_URLS", "NATS_URL"],
  ["NATSURL", "NATS_URL"],
  ["REDIS_URI", "REDIS_URL"],
  ["DATABSE_URL", "DATABASE_URL"],
  ["HTTP_POST", "HTTP_PORT"],
  ["STEP", "STEPS"],
])("%s is near %s", (word, meant) => {
  expect(nearMiss(word, names)).toBe(meant);
});

test.each(["HTTP_PROXY", "NATS_USER", "PATH", "URL", "HOME", "", "S"])("%s is near none", (word) => {
  expect(nearMiss(word, names)).toBeUndefined();
});

test("the nearest wins", () => {
  expect(nearMiss("HTTP_PORTS", ["HTTP_PARTS", "HTTP_PORT"])).toBe("HTTP_PARTS");
  expect(nearMiss("HTTP_PORTS", ["HTTP_POETRY", "HTTP_PORT"])).toBe("HTTP_PORT");
});
