import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { buildHealth, listen, type ReadyCheck } from "./health.ts";

/** A probe's answer from a service with these checks. */
async function probe(checks: Record<string, ReadyCheck>, url = "/readyz") {
  const app = buildHealth(checks);
  onTestFinished(() => app.close());
  const { statusCode, json } = await app.inject({ method: "GET", url });
  return { status: statusCode, body: json() };
}

const fine: ReadyCheck = () => undefined;

describe("/healthz", () => {
  test("says that the process is alive, whatever it depends on", async () => {
    const checks = { nats: () => "away" };
    expect(await probe(checks, "/healthz")).toEqual({ status: 200, body: { status: "alive" } });
    expect(await probe(checks, "/healthz/")).toMatchObject({ status: 200 });
  });
});

describe("/readyz", () => {
  test("without checks a service is ready", async () => {
    expect(await probe({})).toEqual({ status: 200, body: { status: "ready", checks: {} } });
  });

  test("passes when all checks pass", async () => {
    expect(await probe({ nats: fine, postgres: async () => undefined })).toEqual({
      status: 200,
      body: { status: "ready", checks: { nats: "ok", postgres: "ok" } },
    });
  });

  test("asks the servers once for all that probe at the same time", async () => {
    let asked = 0;
    const { promise: answer, resolve } = Promise.withResolvers<undefined>();
    const app = buildHealth({
      postgres: () => {
        asked++;
        return answer;
      },
    });
    onTestFinished(() => app.close());
    const probes = Array.from({ length: 50 }, () => app.inject("/readyz"));
    await vi.waitFor(() => expect(asked).toBe(1));
    resolve(undefined);
    for (const { statusCode } of await Promise.all(probes)) expect(statusCode).toBe(200);
    expect(asked).toBe(1);
    await app.inject("/readyz");
    expect(asked).toBe(2);
  });

  test("shows warnings, which change nothing else", async () => {
    const app = buildHealth({ nats: fine }, undefined, () => ["Look at this."]);
    onTestFinished(() => app.close());
    const answer = await app.inject("/readyz");
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ status: "ready", checks: { nats: "ok" }, warnings: ["Look at this."] });
  });

  test("fails with the sentence of each check that fails, in whatever way", async () => {
    const checks: Record<string, ReadyCheck> = {
      nats: fine,
      lag: async () => "an hour behind",
      postgres: () => Promise.reject(new Error("connection refused")),
      rates: () => {
        throw new Error("a bug");
      },
      empty: () => Promise.reject(new Error()),
    };
    expect(await probe(checks)).toEqual({
      status: 503,
      body: {
        status: "not ready",
        checks: {
          nats: "ok",
          lag: "an hour behind",
          postgres: "connection refused",
          rates: "a bug",
          empty: "Error",
        },
      },
    });
  });

  describe("with a check that does not answer", () => {
    afterEach(() => {
      vi.restoreAllMocks();
    });

    test("answers all the same, and tells the check to give up", async () => {
      const timeout = new AbortController();
      const asked = vi.spyOn(AbortSignal, "timeout").mockReturnValue(timeout.signal);
      const given: AbortSignal[] = [];
      const answer = probe({
        postgres: (signal) => {
          given.push(signal);
          return new Promise(() => undefined);
        },
      });
      await vi.waitUntil(() => given.length > 0);
      timeout.abort();
      expect(await answer).toEqual({
        status: 503,
        body: { status: "not ready", checks: { postgres: "no answer within 2 s" } },
      });
      expect(asked).toHaveBeenCalledWith(2_000);
      expect(given[0]?.aborted).toBe(true);
    });
  });
});

describe("what goes wrong is a problem document", () => {
  const logged: unknown[] = [];
  const app = buildHealth({}, { error: (what: unknown) => logged.push(what) } as never);
  app.get("/broken", () => Promise.reject(new Error("select secret from api_keys")));
  app.get("/absent", () => Promise.reject(Object.assign(new Error("secret"), { statusCode: 503 })));

  test.each([
    ["GET", "/nothing", 404, "Not Found", "There is nothing at this path."],
    ["POST", "/healthz", 404, "Not Found", "There is nothing at this path."],
    ["GET", "/%zz", 400, "Bad Request", "The path is not properly percent-encoded."],
    ["GET", "/broken", 500, "Internal Server Error", "The service failed on this request."],
    ["GET", "/absent", 500, "Internal Server Error", "The service failed on this request."],
  ] as const)("%s %s", async (method, url, status, title, detail) => {
    logged.length = 0;
    const response = await app.inject({ method, url });
    expect(response.statusCode).toBe(status);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.json()).toEqual({ type: "about:blank", title, status, detail });
    expect(logged).toHaveLength(status === 500 ? 1 : 0);
  });

  test("also without a log", async () => {
    const quiet = buildHealth({});
    quiet.get("/broken", () => Promise.reject(new Error("secret")));
    const response = await quiet.inject("/broken");
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain("secret");
  });
});

describe("listen", () => {
  test("gives the URL it listens on", async () => {
    const app = buildHealth({});
    onTestFinished(() => app.close());
    const url = await listen(app, { HTTP_HOST: "127.0.0.1", HTTP_PORT: 0 });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test("a port that is taken is one sentence that says what to do", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await expect(listen(buildHealth({}), { HTTP_HOST: "127.0.0.1", HTTP_PORT: port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken: stop what listens there or set HTTP_PORT`,
    );
  });

  test("so is an address that this machine does not have", async () => {
    // 192.0.2.0/24 is reserved for documentation (RFC 5737).
    await expect(listen(buildHealth({}), { HTTP_HOST: "192.0.2.1", HTTP_PORT: 0 })).rejects.toThrow(
      /^cannot listen on port 0 of 192\.0\.2\.1 \(.*EADDRNOTAVAIL.*\): set HTTP_HOST and HTTP_PORT$/,
    );
  });
});
