import { globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const files = globSync("{cmd,internal,migrations,bench,test}/**/*.ts", { cwd: root });

interface Import {
  readonly file: string;
  /** The imported file, from the project's root; a package by its name. */
  readonly target: string;
  /** Gone when the code runs. */
  readonly typeOnly: boolean;
}

const form =
  /^(?:import|export)\b( type)?[^"'();=]*?\bfrom "([^"]+)"|^import "([^"]+)"|^[^/*\n]*\bimport\("([^"]+)"\)/gm;

function importsOf(file: string, source: string): readonly Import[] {
  return [...source.matchAll(form)].map(([, type, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? "";
    const target = specifier.startsWith(".") ? join(dirname(file), specifier) : specifier;
    return { file, target, typeOnly: type !== undefined };
  });
}

const sourceOf = (file: string) => readFileSync(join(root, file), "utf8");
/** Beside the code but never part of a service. */
const isForTests = (file: string) => /\.(test|fixture|arbitrary|example)\.ts$/.test(file);
const imports = files.filter((file) => !isForTests(file)).flatMap((file) => importsOf(file, sourceOf(file)));

/** Imports of files below `from` that lead to none of `allowed`, as lines for a person. */
function strays(
  from: string,
  allowed: readonly string[],
  among: readonly Import[] = imports,
): readonly string[] {
  const isOurs = (target: string) => /^(cmd|internal|migrations|bench|test)\//.test(target);
  return among
    .filter(({ file, target }) => file.startsWith(from) && isOurs(target))
    .filter(({ target }) => !allowed.some((prefix) => target.startsWith(prefix)))
    .map(({ file, target }) => `${file} imports ${target}`);
}

/** Which rooms of internal/ each of them knows: whoever adds to it has a reason. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  actor: ["casino", "jetstream", "messages", "service"],
  archive: ["actor", "casino", "jetstream", "messages", "postgres", "service"],
  // Copies tables as they are, and knows nothing of what is in them.
  backup: ["postgres", "service"],
  casino: [],
  clients: ["postgres", "service"],
  "dead-letters": ["casino", "enrichment", "jetstream", "messages", "protobuf", "service"],
  enrichment: ["actor", "casino", "messages"],
  erasure: ["archive", "dead-letters", "enrichment", "jetstream", "messages", "postgres", "service"],
  games: ["casino", "postgres", "records", "service"],
  // Its groups of routes, and nothing of what is theirs.
  gateway: [
    ...["gateway/dashboard", "gateway/dead-letters", "gateway/events", "gateway/figures", "gateway/records"],
    ...["gateway/webhooks", "http", "service", "telemetry"],
  ],
  "gateway/dashboard": [
    ...["casino", "clients", "http", "messages", "overview", "postgres", "registry", "service"],
  ],
  "gateway/dead-letters": ["dead-letters", "http", "jetstream", "messages", "service"],
  "gateway/events": ["archive", "casino", "http", "jetstream", "messages", "protobuf", "service"],
  "gateway/figures": ["http", "jetstream", "messages", "service"],
  "gateway/records": ["casino", "games", "http", "messages", "players", "records", "service"],
  "gateway/webhooks": ["casino", "http", "service", "webhooks"],
  generator: ["casino", "clients", "jetstream", "messages", "postgres", "registry", "service"],
  http: ["casino", "clients", "messages", "records", "redis", "service"],
  jetstream: ["messages", "service"],
  local: ["casino", "enrichment", "generator", "jetstream", "overview", "service"],
  logger: ["jetstream", "messages", "service"],
  materializer: ["jetstream", "messages", "service", "telemetry"],
  messages: ["casino", "jetstream", "protobuf", "service"],
  overview: ["jetstream", "messages", "service", "telemetry"],
  players: ["casino", "postgres", "records"],
  postgres: ["service"],
  preflight: ["jetstream", "postgres", "rates", "service"],
  proof: ["archive", "enrichment", "jetstream", "materializer", "messages", "postgres", "service"],
  protobuf: ["casino"],
  rates: ["casino", "jetstream", "redis", "service"],
  records: ["casino", "postgres", "service"],
  redis: [],
  registry: ["casino", "postgres", "service"],
  samples: ["postgres"],
  // It brings what the archive has, settles as the actors do, and calls as webhooks say.
  sender: ["actor", "archive", "jetstream", "messages", "postgres", "service", "telemetry", "webhooks"],
  service: ["local"],
  // Actors and mailboxes know only the narrow interface of what counts them; cmd/ puts the two together.
  telemetry: ["jetstream", "messages", "service"],
  webhooks: ["casino", "postgres", "service"],
};

/** A folder of internal/; each group of the gateway's routes is one of its own. */
const roomOf = (file: string): string | undefined =>
  /^internal\/((?:gateway\/)?[^/.]+)\//.exec(file)?.[1] ?? /^internal\/([^/]+)\//.exec(file)?.[1];

describe("imports", () => {
  test("are found, in each of the ways they are written", () => {
    const source = [
      'import { a } from "./one.ts";',
      "import {",
      "  b,",
      "  type c,",
      '} from "../two.ts";',
      'export type { d } from "three";',
      'import "./four.ts";',
      'const five = await import("./five.ts");',
      'const text = "from nowhere";',
      'export const six = () => "seven";',
      '// import("./six.ts")',
    ].join("\n");
    expect(importsOf("internal/room/file.ts", source).map(({ target }) => target)).toEqual([
      "internal/room/one.ts",
      "internal/two.ts",
      "three",
      "internal/room/four.ts",
      "internal/room/five.ts",
    ]);
    expect(imports.length).toBeGreaterThan(200);
  });

  test("that stray are found", () => {
    const made = importsOf("internal/casino/money.ts", 'import { x } from "../rates/api.ts";');
    expect(strays("internal/casino/", ["internal/casino/"], made)).toEqual([
      "internal/casino/money.ts imports internal/rates/api.ts",
    ]);
  });

  test("between rooms are those of the table", () => {
    const all = new Set(files.filter((file) => !isForTests(file)).flatMap((file) => roomOf(file) ?? []));
    const sorted = [...all].map((room) => {
      const known = imports
        .filter(({ file }) => roomOf(file) === room)
        .flatMap(({ target }) => roomOf(target) ?? [])
        .filter((other) => other !== room);
      return [room, [...new Set(known)].sort()];
    });
    expect(Object.fromEntries(sorted)).toEqual(rooms);
  });

  test("all lead to a file that is there", () => {
    const own = imports.filter(({ target }) => /^(cmd|internal|migrations|bench|test)\//.test(target));
    expect(own.filter(({ target }) => !files.includes(target))).toEqual([]);
  });

  test("of cmd/ lead to internal/, and to files of the same program", () => {
    const commands = imports.filter(({ file }) => file.startsWith("cmd/"));
    // What is asked of players and games is the same.
    const own = (file: string) => [`${dirname(file)}/`, "cmd/players/", "internal/"];
    expect(commands.flatMap((one) => strays("cmd/", own(one.file), [one]))).toEqual([]);
  });

  test.each([
    ["internal/", "knows nothing of commands, tests and benchmarks", ["internal/"]],
    [
      "internal/jetstream/",
      "knows the broker, and nothing of events and steps",
      [
        "internal/jetstream/",
        "internal/messages/subjects.ts",
        "internal/service/back-off.ts",
        "internal/service/config.ts",
        "internal/service/log.ts",
        "internal/service/look-every.ts",
        "internal/service/opening.ts",
        "internal/service/health.ts",
        "internal/service/outage.ts",
        "internal/service/config-drift.ts",
        "internal/service/unavailable.ts",
      ],
    ],
    ["migrations/", "are frozen: they import no application code", []],
  ])("%s %s", (from, _why, allowed) => {
    expect(files.some((file) => file.startsWith(from))).toBe(true);
    expect(strays(from, allowed)).toEqual([]);
  });

  test("between rooms are few: nobody has to know more than eight others to read one", () => {
    // Folders of its own are parts of a room: the gateway is its groups of routes.
    const known = ([room, others]: readonly [string, readonly string[]]) =>
      others.filter((other) => !other.startsWith(`${room}/`));
    const wide = Object.entries(rooms).filter((entry) => known(entry).length > 8);
    expect(wide.map(([room]) => room)).toEqual([]);
  });

  test.each(["dead-letters", "gateway", "generator", "proof"])(
    "of internal/%s/ never lead to the loop around the steps: the messages are all they share",
    (room) => {
      const from = `internal/${room}/`;
      const ours = imports.filter(({ file }) => file.startsWith(from));
      expect(ours.length).toBeGreaterThan(5);
      expect(ours.filter(({ target }) => target.startsWith("internal/actor/"))).toEqual([]);
    },
  );

  test("go round in no circle", () => {
    const targets = Map.groupBy(
      imports.filter(({ typeOnly }) => !typeOnly),
      ({ file }) => file,
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      if (done.has(file) || path.includes(file)) return;
      for (const { target } of targets.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of targets.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});

test("only internal/config.ts reads the environment; internal/local/ may pass it on whole to what it starts", () => {
  const reading = files
    .filter((file) => /^(cmd|internal|migrations)\//.test(file) && !isForTests(file))
    .filter((file) => {
      const source = file.startsWith("internal/local/")
        ? sourceOf(file).replaceAll("...process.env,", "")
        : sourceOf(file);
      return /\bprocess\.env\b(?!`)/.test(source);
    });
  expect(reading).toEqual(["internal/service/config.ts"]);
});

test("no file is longer than can be read in one go", () => {
  const lines = (file: string) => sourceOf(file).split("\n").length - 1;
  const long = files.filter(
    (file) => /^(cmd|internal|migrations|bench)\//.test(file) && !file.endsWith(".test.ts"),
  );
  expect(long.filter((file) => lines(file) > 250)).toEqual([]);
});

test("a unit test uses no server and leaves the process as it is", () => {
  const ownProcess =
    /harness\/|\.fixture\.ts|node:child_process|node:worker_threads|afterAll|process\.|globalThis/;
  const units = files.filter((file) => file.endsWith(".unit.test.ts"));
  expect(units.length).toBeGreaterThan(50);
  expect(units.filter((file) => ownProcess.test(sourceOf(file)))).toEqual([]);
});

test("no fixture registers hooks when it is loaded: test files share processes, so it is loaded for the first alone", () => {
  const whenLoaded = /^(after|before)(All|Each)\(/m;
  expect("import x;\nafterEach(() => {});").toMatch(whenLoaded);
  const shared = files.filter((file) => /\.fixture\.ts$|^test\/harness\/(?!end-of-file|.*\.test)/.test(file));
  expect(shared.length).toBeGreaterThan(30);
  expect(shared.filter((file) => whenLoaded.test(sourceOf(file)))).toEqual([]);
});

test("every file is named for what it holds", () => {
  const vague = /(^|\/)(utils?|helpers?|types?|interfaces?|common|misc|index)\.ts$/;
  expect("internal/casino/utils.ts").toMatch(vague);
  expect(files.filter((file) => vague.test(file))).toEqual([]);
});
