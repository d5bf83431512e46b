import { expect, test } from "vitest";
import { playerKind } from "./player-kind.ts";

const id = 10;
const email = "john@example.com";

test.each([
  [
    { id, email },
    { id, email, last_signed_in_at: null },
  ],
  [
    { id, email, last_signed_in_at: null, vip: true },
    { id, email, last_signed_in_at: null },
  ],
  [
    { id: 2 ** 53 - 1, email: "a@b", last_signed_in_at: "2022-01-10T12:34:56.7894+01" },
    { id: 2 ** 53 - 1, email: "a@b", last_signed_in_at: "2022-01-10T11:34:56.789Z" },
  ],
  [
    { id: 1, email: `${"😀".repeat(318)}@x`, last_signed_in_at: "0001-01-01T00:00:00Z" },
    { id: 1, email: `${"😀".repeat(318)}@x`, last_signed_in_at: "0001-01-01T00:00:00.000Z" },
  ],
])("%j is a player", (value, record) => {
  expect(playerKind.read(value)).toEqual({ ok: true, record });
});

const noTime = "must be an existing RFC 3339 date-time from the year 1 on";
const unstorable = "must not contain U+0000 or a lone surrogate";
test.each<[unknown, ...(readonly [path: string, message: string])[]]>([
  [null, ["", "must be object"]],
  [[], ["", "must be object"]],
  [{}, ["/id", "must have required property 'id'"], ["/email", "must have required property 'email'"]],
  [{ id: "10", email }, ["/id", "must be integer"]],
  [{ id: 0, email }, ["/id", "must be >= 1"]],
  [{ id: 2 ** 53, email }, ["/id", "must be <= 9007199254740991"]],
  [{ id: 1.5, email }, ["/id", "must be integer"]],
  [{ id, email: "a@" }, ["/email", "must NOT have fewer than 3 characters"]],
  [{ id, email: "nobody" }, ["/email", 'must match pattern "@"']],
  [{ id, email: `${"x".repeat(320)}@` }, ["/email", "must NOT have more than 320 characters"]],
  [{ id, email: "a\0@b" }, ["/email", unstorable]],
  [{ id, email: "\ud800@b" }, ["/email", unstorable]],
  [{ id, email, last_signed_in_at: 5 }, ["/last_signed_in_at", "must be string,null"]],
  [{ id, email, last_signed_in_at: "2022-02-30T00:00:00Z" }, ["/last_signed_in_at", noTime]],
  [{ id, email, last_signed_in_at: "0000-12-31T00:00:00Z" }, ["/last_signed_in_at", noTime]],
  [{ id, email: "\0@x", last_signed_in_at: "" }, ["/email", unstorable], ["/last_signed_in_at", noTime]],
])("%j is none", (value, ...errors) => {
  expect(playerKind.read(value)).toEqual({
    ok: false,
    errors: errors.map(([path, message]) => ({ path, message })),
  });
});
