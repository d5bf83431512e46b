import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { errorForLog, logOptions, withoutPassword } from "./log.ts";
import { Unavailable } from "./unavailable.ts";

describe("withoutPassword", () => {
  test.each([
    ["postgres://casino:casino@127.0.0.1:5432/casino", "postgres://***@127.0.0.1:5432"],
    ["nats://token@nats.example.com", "nats://***@nats.example.com"],
    ["nats://127.0.0.1:4222", "nats://127.0.0.1:4222"],
    ["127.0.0.1:4222", "127.0.0.1:4222"],
    ["user:secret@localhost:4222", "***@localhost:4222"],
    ["redis://:secret@[::1]:6379/2", "redis://***@[::1]:6379"],
    ["nats://u:p@one:4222, nats://u:p@two:4222", "nats://***@one:4222,nats://***@two:4222"],
    ["nats://u:p@one:4222,two:4222", "nats://***@one:4222,two:4222"],
    ["one:4222,two:4222", "one:4222,two:4222"],
    ["https://api.example.com/latest?access_key=secret", "https://api.example.com"],
    ["https://api.example.com/v6/secret/latest/EUR", "https://api.example.com"],
    ["postgres:///casino?password=secret", "postgres://"],
  ])("%s is shown as %s", (url, shown) => {
    expect(withoutPassword(url)).toBe(shown);
  });

  test.each([
    "nats://user:se,cret@host",
    "nats://user:12,secret@host",
    "nats://user:secret@x,cret@host",
    "postgres://user:sec/ret@host/db",
    "postgres://user:12/secret@host/db",
    "postgres://user:12?secret@host/db",
    "postgres://user:12#secret@host/db",
    "postgres://user:se@cret@host/db",
    "postgres://user:secret",
    "what is this",
  ])("nothing is shown of %s, where it is unclear what belongs to the password", (url) => {
    expect(withoutPassword(url)).toBe("***");
  });

  const marker = "5ecret";
  // Raw, as people write it, and with a marker that begins with a digit, as a port does. "://" is left out: there is no
  // telling the password in nats://u:p@a,nats://b@c from a list of two servers.
  const password = fc
    .tuple(fc.string({ maxLength: 6 }), fc.string({ unit: fc.constantFrom(..."@,:/?#[]%.-7 \n\\") }))
    .map(([before, after]) => before + marker + after)
    .filter((text) => !text.includes("://"));
  const scheme = fc.constantFrom("", "nats://", "tls://", "postgres://", "redis://", "https://");
  const user = fc.constantFrom("", "casino", "user.name", "a@b", "a,b");
  const address = fc.constantFrom("h", "db.example.com:5432", "[::1]:6379", "h:4222,i:4222", "h/db?a=b,c");

  test("a password never shows, whatever characters it has", () => {
    fc.assert(
      fc.property(scheme, user, password, address, (scheme, user, password, address) => {
        expect(withoutPassword(`${scheme}${user}:${password}@${address}`)).not.toContain(marker);
      }),
      { numRuns: 2_000 },
    );
  });

  test("no token and no part of a list shows either", () => {
    fc.assert(
      fc.property(scheme, password, password, address, (scheme, one, other, address) => {
        const list = `${scheme}${one}@${address},${scheme}u:${other}@${address},${address}`;
        // Without a scheme it may be that the rest of the list is taken for the password: nothing shows then.
        expect(withoutPassword(list)).not.toContain(marker);
      }),
      { numRuns: 2_000 },
    );
  });

  test("where the password is percent-encoded the address is always shown", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (password) => {
        expect(withoutPassword(`nats://user:${encodeURIComponent(password)}@host:4222`)).toBe(
          "nats://***@host:4222",
        );
      }),
    );
  });
});

test("a timeout is logged as an error like any other, without the constants of its kind", () => {
  const shown = errorForLog(new DOMException("too slow", "TimeoutError"));
  expect(shown).toEqual({
    type: "DOMException",
    name: "TimeoutError",
    message: "too slow",
    stack: expect.stringContaining("too slow"),
  });
  expect(errorForLog(Object.assign(new Error("no room"), { code: 10077 }))).toMatchObject({ code: 10077 });
});

test("an outage is logged as a sentence, without a stack and without its cause once more", () => {
  const outage = new Unavailable("Postgres is away: no such host", { cause: new Error("no such host") });
  expect(errorForLog(outage)).toEqual({ type: "Unavailable", message: "Postgres is away: no such host" });
});

test("an expected error is logged as a sentence, and a bug with its stack", () => {
  const lines: string[] = [];
  const log = pino(logOptions("test", "info"), { write: (line: string) => lines.push(line) });
  const err = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  log.warn({ err, step: "player" }, "Redis is away");
  log.error({ err }, "this is a bug");
  const [warning, bug] = lines.map((line) => JSON.parse(line));
  expect(warning).toMatchObject({ step: "player", err: { type: "Error", message: "connect ECONNREFUSED" } });
  expect(Object.keys(warning.err)).toEqual(["type", "message"]);
  expect(bug.err).toMatchObject({ code: "ECONNREFUSED", stack: expect.stringContaining("at ") });
});
