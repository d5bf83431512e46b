import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type CheckerOptions, SchemaChecker } from "./schema-checker.ts";

const schemaOf = (schema: object) => {
  const text = JSON.stringify({ type: "object", ...schema });
  return { type: "note", digest: createHash("md5").update(text).digest("hex"), schema: text };
};
/** An expression of two kinds of node, as somebody would write it. Which of the two a node is, is known by its `op`. */
const node = { $ref: "#/$defs/node" };
const tree = (...keys: readonly ("op" | "arg")[]) => {
  const kind = (op: string) => ({
    type: "object",
    properties: Object.fromEntries(keys.map((key) => [key, key === "op" ? { const: op } : node])),
    required: ["op", "arg"],
  });
  return schemaOf({
    properties: { root: node },
    $defs: { node: { anyOf: [kind("not"), kind("neg"), { type: "integer" }] } },
  });
};
const quick = tree("op", "arg");
/** The nodes below are looked at first, once for each kind. */
const costly = tree("arg", "op");
const nested = (depth: number, leaf: unknown) => {
  let root = leaf;
  for (let level = 0; level < depth; level++) root = { op: "neg", arg: root };
  return { root };
};
const endless = nested(60, "x");
const small = schemaOf({ required: ["a"], properties: { a: { type: "integer" }, b: { type: "integer" } } });

const limits = { datumMs: 60, budgetMs: 10_000, patienceMs: 60_000 };
const open: SchemaChecker[] = [];
function checker(options: Partial<CheckerOptions> = {}): SchemaChecker {
  const made = new SchemaChecker({ log: silent, beyondBudget: "refuse", limits, ...options });
  open.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const tooCostly = [
  { path: "", message: "cannot be checked: the schema of note makes that cost more than 60 ms" },
];
const missing = [{ path: "/a", message: "must have required property 'a'" }];
/** Whether a promise is settled, as far as can be seen now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return (
    (await Promise.race([
      promise.then(
        () => true,
        () => true,
      ),
      new Promise((now) => setImmediate(now, false)),
    ])) === true
  );
}

describe("a check", () => {
  test("names every flaw, and those of each datum of a batch", async () => {
    const it = checker();
    const data = [{ a: 1 }, { b: "x" }, { a: "y" }, { a: 2 }];
    expect(await Promise.all(data.map((one) => it.check("casino", small, one)))).toEqual([
      [],
      [...missing, { path: "/b", message: "must be integer" }],
      [{ path: "/a", message: "must be integer" }],
      [],
    ]);
  });

  test("of a schema that refers to itself takes no longer for its depth", async () => {
    const it = checker();
    expect(await it.check("casino", quick, nested(60, 1))).toEqual([]);
    const errors = await it.check("casino", quick, endless);
    // To find them all would take years: the first is known before.
    expect(errors.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toContain("cannot be checked");
  });

  test("that costs too much is cut short, and those around it are not", async () => {
    const it = checker();
    const checks = [
      it.check("casino", small, { a: 1 }),
      it.check("casino", small, {}),
      it.check("casino", costly, endless),
      it.check("casino", small, {}),
      it.check("casino", costly, nested(3, 1)),
    ];
    expect(await Promise.all(checks)).toEqual([[], missing, tooCostly, missing, []]);
  });

  test("that takes too much memory is cut short, and the process lives", async () => {
    const it = checker({ limits: { ...limits, heapMiB: 24, datumMs: 60_000 } });
    const unique = schemaOf({ properties: { root: node }, $defs: quickErrors });
    const [first] = await it.check("casino", unique, endless);
    expect(first?.message).toBe(
      "cannot be checked: the schema of note makes that cost more than 24 MiB of memory",
    );
    expect(await it.check("casino", small, { a: 1 })).toEqual([]);
  });

  test("by a schema that takes too long to compile is refused, the next ones at once", async () => {
    const it = checker({ limits: { compileMs: 0 } });
    const large = schemaOf({
      properties: Object.fromEntries(
        Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { type: "integer", maximum: i }]),
      ),
    });
    const refusal = [
      { path: "", message: "cannot be checked: to compile the schema of note takes more than 0 ms" },
    ];
    expect(await it.check("casino", large, {})).toEqual(refusal);
    expect(await it.check("other", large, {})).toEqual(refusal);
  });

  test("leaves the event loop alone", async () => {
    const it = checker();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    expect(await it.check("casino", costly, endless)).toEqual(tooCostly);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });
});

/** Every failure leaves its errors behind, twice as many with each level. */
const quickErrors = {
  node: {
    anyOf: [
      { type: "object", properties: { arg: node, op: { const: "not" } } },
      { type: "object", properties: { arg: node, op: { const: "neg" } } },
      { type: "integer" },
    ],
  },
};

describe("among clients", () => {
  test("one has its turn while another's costly data are waiting", async () => {
    const it = checker();
    const attack = Array.from({ length: 4 }, () => it.check("attacker", costly, endless));
    expect(await it.check("victim", small, { a: 1 })).toEqual([]);
    expect(await it.check("victim", small, {})).toEqual(missing);
    expect(await isSettled(attack[3] ?? Promise.resolve())).toBe(false);
    expect(await Promise.all(attack)).toEqual(Array(4).fill(tooCostly));
  });

  test("who has used up the budget is told so, of each datum that was not checked", async () => {
    const it = checker({ limits: { ...limits, budgetMs: 100 } });
    const data = [...Array(5).fill(endless), nested(3, 1)];
    const answers = await Promise.all(data.map((one) => it.check("casino", costly, one)));
    expect(answers.slice(0, 2)).toEqual([tooCostly, tooCostly]);
    expect(answers.slice(2)).toEqual(
      Array(4).fill([
        {
          path: "",
          message:
            "was not checked, because the checks of those before it took 100 ms: send it again, with fewer others",
        },
      ]),
    );
    // What it sends the next time has a budget of its own.
    expect(await it.check("casino", costly, nested(3, 1))).toEqual([]);
  });

  test("who makes others wait with it is put off after each cut", async () => {
    const it = checker({ beyondBudget: "wait" });
    const first = it.check("attacker", costly, endless);
    const second = it.check("attacker", small, { a: 1 });
    await expect(second).rejects.toThrow(Unavailable);
    expect(await first).toEqual(tooCostly);
    await expect(it.check("attacker", small, { a: 1 })).rejects.toThrow(
      "the checks of client attacker's events have cost too much: the next is made in 1 s",
    );
    expect(await it.check("victim", small, { a: 1 })).toEqual([]);
  });
});

test("at its end whatever waits is rejected, and nothing is taken any more", async () => {
  const it = checker();
  const checks = [it.check("casino", costly, endless), it.check("casino", small, { a: 1 })];
  await it.close();
  for (const check of [...checks, it.check("casino", small, { a: 1 })])
    await expect(check).rejects.toThrow("the process is stopping");
});

test("a schema is compiled anew when it has been forgotten", async () => {
  const it = checker();
  expect(await it.check("casino", small, { a: 1 })).toEqual([]);
  it.forget(small.digest);
  expect(await it.check("casino", { ...small, schema: '{"type":"object"}' }, {})).toEqual([]);
});
