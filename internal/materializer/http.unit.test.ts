import { fastify } from "fastify";
import { expect, test } from "vitest";
import { Fold } from "./fold.ts";
import { buildMaterializerHttp } from "./http.ts";
import { answer, parseQuery } from "./query.ts";

const start = Date.UTC(2022, 0, 10);

function app({ caughtUp = true, figures = "public" as "public" | "keys" } = {}) {
  const fold = new Fold();
  const bet = { client: "casino", source: "nats", type: "bet", playerId: 10, hasWon: true, storedAt: start };
  for (const id of [1, 2, 3]) fold.apply({ ...bet, id });
  return {
    fold,
    http: buildMaterializerHttp(fastify(), {
      fold,
      caughtUp: () => caughtUp,
      figures,
      now: () => start + 30_000,
    }),
  };
}

test.each(["/materialized", "/materialize"])("GET %s gives the answer of the query function", async (url) => {
  const { fold, http } = app();
  for (const [query, parameters] of [
    ["", {}],
    ["?window_size=10&client_id=casino&top=5", { window_size: 10, client_id: "casino", top: 5 }],
    ["?client_id=nobody&unknown=1", { client_id: "nobody" }],
  ] as const) {
    const response = await http.inject(url + query);
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(response.headers["cache-control"]).toBe("no-store");
    expect(response.body).toBe(answer(fold, parseQuery(parameters), start + 30_000));
  }
});

test.each(["window_size=0", "window_size=60&window_size=61", "top=abc", "client_id="])(
  "a bad value (%s) is a problem document with a sentence",
  async (query) => {
    const response = await app().http.inject(`/materialized?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.json()).toEqual({
      type: "about:blank",
      title: "Bad Request",
      status: 400,
      detail: expect.stringMatching(new RegExp(`^${query.slice(0, query.indexOf("="))} must be .*\\.$`)),
    });
  },
);

test("until the rebuild is done there are no figures, because half of them would look like all", async () => {
  const response = await app({ caughtUp: false }).http.inject("/materialized");
  expect(response.statusCode).toBe(503);
  expect(response.headers["content-type"]).toBe("application/problem+json");
  expect(response.headers["retry-after"]).toBe("1");
});

test.each(["/materialized", "/materialize?client_id=casino"])(
  "with FIGURES=keys %s is for the gateway to answer, which can check keys",
  async (url) => {
    const response = await app({ figures: "keys" }).http.inject({
      url,
      headers: { authorization: "Bearer x" },
    });
    expect(response.statusCode).toBe(403);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.body).not.toContain("events_total");
    expect(response.json().detail).toMatch(/^The figures need an API key/);
  },
);
