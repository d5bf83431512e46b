import { expect, test } from "vitest";
import { Problem } from "../service/problem.ts";
import { ConcurrencyLimit, type ConcurrencyLimitOptions } from "./concurrency-limit.ts";

/** Requests that end when the test says so, and in which order they began. */
function scene(options: Partial<ConcurrencyLimitOptions> = {}) {
  const limit = new ConcurrencyLimit({ all: 3, ofOwner: 2, what: "read", patienceMs: 60_000, ...options });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const ask = (name: string) =>
    limit
      .run(name.charAt(0), async () => {
        begun.push(name);
        await new Promise<void>((end) => ends.set(name, end));
        return name;
      })
      .catch((err: unknown) => err);
  return { limit, begun, ask, end: (name: string) => ends.get(name)?.() };
}

test("an owner has so many limit, all have so many; who waits gets one by turns of the owners", async () => {
  const { begun, ask, end } = scene();
  const asked = new Map(["a1", "a2", "a3", "a4", "b1", "b2", "c1"].map((name) => [name, ask(name)]));
  expect(begun).toEqual(["a1", "a2", "b1"]);
  for (const [ending, next] of [
    ["a1", "a3"],
    ["b1", "b2"],
    ["a2", "c1"],
    ["c1", "a4"],
  ] as const) {
    end(ending);
    expect(await asked.get(ending)).toBe(ending);
    expect(begun.at(-1)).toBe(next);
  }
});

test("beyond those that may wait its owner is refused with 429, others are not", async () => {
  const { begun, ask, end } = scene({ waiting: 1 });
  for (const name of ["a1", "a2", "a3"]) void ask(name);
  const refused = await ask("a4");
  expect(refused).toBeInstanceOf(Problem);
  expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
  const other = ask("b1");
  expect(begun).toEqual(["a1", "a2", "b1"]);
  end("b1");
  expect(await other).toBe("b1");
});

test("who has waited long enough is refused: with 429 for his own, with 503 for others; a place is not lost by it", async () => {
  const { begun, ask, end } = scene({ all: 2, patienceMs: 20 });
  void ask("a1");
  const second = ask("a2");
  expect(await ask("a3")).toMatchObject({ status: 429 });
  expect(await ask("b1")).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
  end("a2");
  await second;
  void ask("b2");
  expect(begun).toEqual(["a1", "a2", "b2"]);
});

test("work that fails leaves its place", async () => {
  const { limit, begun, ask } = scene({ all: 1, ofOwner: 1 });
  await expect(limit.run("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  void ask("b1");
  expect(begun).toEqual(["b1"]);
});
