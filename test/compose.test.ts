import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { findRedisServer } from "../internal/local/binaries.ts";
import { freePort } from "../internal/local/free-port.ts";
import { natsRoles, passwordVariable } from "../internal/local/nats-users.ts";
import { databaseUsers } from "../internal/postgres/roles.ts";
import { startCommand } from "./harness/command.ts";
import { stopAtEnd } from "./harness/guard.ts";
import { tempFolder } from "./harness/temp-folder.ts";
import { waitFor } from "./harness/wait-for.ts";

// What can be seen without a Docker engine; `npm run compose-check` runs it.

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly container_name?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly ports?: readonly string[];
  readonly restart?: string;
  readonly logging?: unknown;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly deploy?: { readonly resources?: { readonly limits?: { readonly memory?: string } } };
}

/** A compose file; `!reset` empties what another file has. */
function compose(file: string): Readonly<Record<string, Service>> {
  const reset = { tag: "!reset", collection: "seq", resolve: () => [] } as const;
  return (parse(read(file), { merge: true, customTags: [reset] }) as { services: Record<string, Service> })
    .services;
}

const services = compose("docker-compose.yml");
const cluster = compose("docker-compose.cluster.yml");
/** The folder below cmd/ that a service runs; undefined for servers that are not ours. */
const commandOf = ({ command = [], entrypoint = [] }: Service) =>
  /^cmd\/(.+)\/main\.ts$/.exec(
    [...entrypoint, ...command].findLast((word) => word.startsWith("cmd/")) ?? "",
  )?.[1];
const ours = Object.entries(services).filter(([, service]) => commandOf(service) !== undefined);

/** Not for containers: one machine's own supervisor and receiver of webhooks, and the health check. */
const notRun = ["croupier", "healthcheck", "receiver", "up"];
/** The image sets the first two; the others are for those who change the file. */
const notSet = ["CROUPIER_DATA", "HTTP_HOST", "HTTP_PORT", "NATS_CREDS", "STEPS"];

describe("docker-compose.yml", () => {
  test("runs every command of the project under its own name", () => {
    expect(ours.map(([name]) => name).sort()).toEqual(
      readdirSync(join(root, "cmd")).filter((name) => !notRun.includes(name)),
    );
    for (const [name, service] of ours) expect(commandOf(service)).toBe(name);
  });

  test.each(ours)(
    "gives %s the variables that it reads, and no others",
    async (name, { environment = {} }) => {
      const help = startCommand(`cmd/${name}/main.ts`, { args: ["--help"] });
      await help.ended;
      const asked = [...help.stdout.matchAll(/^ {2}([A-Z][A-Z_]+) /gm)].map(([, variable = ""]) => variable);
      expect(asked.length).toBeGreaterThan(0);
      expect(Object.keys(environment).sort()).toEqual(asked.filter((it) => !notSet.includes(it)).sort());
    },
  );

  test("publishes nothing but the gateway and NATS, and these on loopback unless told otherwise", () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port.split(":${")[0]]),
    );
    expect(published).toEqual([
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own form of a variable.
      ...["nats", "gateway"].map((name) => [name, "${LISTEN_ADDRESS:-127.0.0.1}"]),
      // With a profile only; whoever reaches them sees everything.
      ...["prometheus", "grafana"].map((name) => [name, "127.0.0.1"]),
    ]);
  });

  test("sends traces to Tempo where its profile is chosen, and elsewhere only where a collector is named", () => {
    const tracing = ours.filter(([, { environment = {} }]) => "OTEL_TRACES_SAMPLER" in environment);
    expect(tracing.map(([name]) => name)).toEqual(["enricher", "gateway", "archiver", "sender", "generator"]);
    for (const [, { environment = {} }] of tracing)
      expect(environment.OTEL_EXPORTER_OTLP_ENDPOINT).toBe(
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own form of a variable.
        "${OTEL_EXPORTER_OTLP_ENDPOINT:-${COMPOSE_PROFILES:+http://tempo:4318}}",
      );
    const { distributor } = parse(read("observability/tempo.yml"));
    expect(distributor.receivers.otlp.protocols.http.endpoint).toBe("0.0.0.0:4318");
  });

  test("confines what it runs, and fixes no container's name, so that each can be scaled", () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).not.toHaveProperty("container_name");
      expect(service.deploy?.resources?.limits?.memory, name).toMatch(/^\d+[mg]$/);
      expect(service.restart, name).toMatch(/^(unless-stopped|no)$/);
      expect(service.logging, name).toMatchObject({ options: { "max-size": "10m" } });
      if (name !== "postgres")
        expect([name, service.read_only, service.cap_drop]).toEqual([name, true, ["ALL"]]);
    }
  });

  test("has one password for each user of nats.conf, which the service of that name uses", () => {
    for (const role of natsRoles) {
      const password = `\${${passwordVariable(role)}:-${role}}`;
      expect(services.nats?.environment?.[passwordVariable(role)]).toBe(`"${password}"`);
      const user = role === "operator" ? "dead-letters" : role;
      const people = ["inspector", "producer-casino"].includes(role);
      expect(services[user]?.environment?.NATS_URL, role).toBe(
        people ? undefined : `nats://${role}:${password}@nats:4222`,
      );
    }
  });

  test("tells no password to those who list processes", () => {
    const secrets = [...read(".env.example").matchAll(/^(\w+_PASSWORD)=/gm)].map(([, name = ""]) => name);
    expect(secrets.length).toBeGreaterThan(10);
    for (const [name, { command = [], entrypoint = [] }] of Object.entries(services))
      for (const word of [...entrypoint, ...command])
        expect(
          secrets.filter((secret) => word.includes(`\${${secret}`)),
          name,
        ).toEqual([]);
  });

  test("has one password for each service's role in Postgres, which that service uses", () => {
    const password = (user: string) => `\${POSTGRES_${user.toUpperCase()}_PASSWORD:-${user}}`;
    expect(services.migrate?.environment?.DATABASE_PASSWORDS).toBe(
      databaseUsers.map((user) => `${user}=${password(user)}`).join(),
    );
    // These are the owner's, who has no limits.
    const owners = ["migrate", "backup", "restore"];
    for (const [name, { environment = {} }] of ours.filter(([name]) => !owners.includes(name))) {
      const user = databaseUsers.find((it) => it === name) ?? "operator";
      const url = `postgres://casino_${user}:${password(user)}@postgres:5432/casino`;
      if ("DATABASE_URL" in environment) expect([name, environment.DATABASE_URL]).toEqual([name, url]);
    }
  });

  test("takes what .env.example explains, with the same defaults", () => {
    const text = read("docker-compose.yml") + read("docker-compose.cluster.yml");
    // What is there only where another variable is set is no default of its own.
    const plain = text.replaceAll(/\$\{(\w+):\+[^}]*\}/g, "");
    const asked = [...text.matchAll(/\$\{(\w+):\+/g)].map(([, name = ""]) => [name, ""]);
    const used = [...plain.matchAll(/\$\{(\w+):?-([^}]*)\}/g)]
      .map(([, name = "", preset = ""]) => [name, preset])
      .concat(asked);
    const passed = Object.values(services).flatMap(({ environment = {} }) =>
      Object.entries(environment).filter(([, value]) => value === null),
    );
    const documented = [...read(".env.example").matchAll(/^(\w+)=(.*)$/gm)].map(([, name, preset]) => [
      name,
      preset,
    ]);
    const unique = new Map([...used, ...passed.map(([name]) => [name, ""])].map((pair) => [pair[0], pair]));
    expect(documented.toSorted()).toEqual([...unique.values()].toSorted());
    for (const [name, preset] of used) expect(unique.get(name)).toEqual([name, preset]);
  });
});

describe("the guard of docker-compose.yml", () => {
  const guard = services.guard?.environment ?? {};
  /** Its variables as Compose sets them where these are set and nothing else is. */
  const variables = (set: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(guard).map(([name, value]) => [
        name,
        String(value).replaceAll(/\$\{(\w+)(:?)-([^}]*)\}/g, (_all, variable, colon, preset) => {
          const given = set[variable];
          return given === undefined || (colon !== "" && given === "") ? preset : given;
        }),
      ]),
    );
  const run = (set: Readonly<Record<string, string>>) => {
    const { status, stderr } = spawnSync("sh", [join(root, "nats/guard.sh")], {
      env: { PATH: process.env.PATH, ...variables(set) },
      encoding: "utf8",
    });
    return { status, stderr };
  };
  const defaults = [...read(".env.example").matchAll(/^(\w+_(?:PASSWORD|KEY))=(.+)$/gm)].map(
    ([, name = ""]) => name,
  );
  const own = Object.fromEntries(defaults.map((name) => [name, `own-${name}`]));

  test("is what NATS waits for, and with it everything else", () => {
    expect(services.nats?.depends_on).toEqual({ guard: { condition: "service_completed_successfully" } });
    expect(services.gateway?.depends_on).toMatchObject({ nats: { condition: "service_healthy" } });
  });

  test.each(["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]", ""])(
    "lets %j pass with nothing set",
    (LISTEN_ADDRESS) => {
      expect(run({ LISTEN_ADDRESS })).toEqual({ status: 0, stderr: "" });
    },
  );

  test.each(["0.0.0.0", "::", "[::]", "192.168.1.5"])(
    "refuses %s with defaults, and names them",
    (LISTEN_ADDRESS) => {
      const { status, stderr } = run({ LISTEN_ADDRESS });
      expect(status).toBe(78);
      const [, named = ""] = /set passwords of your own \(.*\): (.*)$/m.exec(stderr) ?? [];
      expect(named.split(" ").sort()).toEqual(defaults.toSorted());
    },
  );

  test.each(defaults)("refuses %s alone", (name) => {
    const { [name]: _, ...others } = own;
    const { status, stderr } = run({ ...others, LISTEN_ADDRESS: "0.0.0.0", NATS_ANONYMOUS: "" });
    expect(status).toBe(78);
    expect(stderr.trimEnd()).toMatch(new RegExp(`: ${name}$`));
  });

  test("refuses an anonymous operator, warns of an anonymous inspector, and is silent if anonymous connections are refused", () => {
    const with_ = (NATS_ANONYMOUS: string) => run({ ...own, LISTEN_ADDRESS: "0.0.0.0", NATS_ANONYMOUS });
    expect(with_("operator")).toEqual({
      status: 78,
      stderr: expect.stringMatching(/^guard: .* set NATS_ANONYMOUS= \(empty\): .*operator/),
    });
    expect(with_("inspector")).toEqual({ status: 0, stderr: expect.stringMatching(/can read all events/) });
    expect(with_("")).toEqual({ status: 0, stderr: "" });
  });
});

test("Redis takes its password from the environment, not from its arguments", async () => {
  const { path } = await findRedisServer();
  const dir = tempFolder("redis");
  const port = await freePort();
  const [shell = "", ...args] = services.redis?.command ?? [];
  // What Compose makes of two dollars; the port is the test's own.
  const script = args.map((word) => word.replaceAll("$$", "$").replace("END\n", `END\nport ${port}\n`));
  const child = spawn(shell, script, {
    cwd: dir,
    env: { PATH: `${dirname(path)}:${process.env.PATH}`, REDISCLI_AUTH: "secret" },
    stdio: "ignore",
  });
  stopAtEnd(child.pid ?? 0);
  const redis = new Redis({ port, password: "secret", retryStrategy: () => 50 });
  redis.on("error", () => undefined);
  onTestFinished(() => redis.disconnect());
  await waitFor(async () => (await redis.ping()) === "PONG");
  expect(execFileSync("ps", ["-p", String(child.pid), "-o", "args="], { encoding: "utf8" })).toMatch(
    /^redis-server (?!.*secret)/,
  );
  const stranger = new Redis({ port });
  stranger.on("error", () => undefined);
  onTestFinished(() => stranger.disconnect());
  await expect(stranger.ping()).rejects.toThrow(/NOAUTH/);
  child.kill("SIGTERM");
  await once(child, "exit");
});

test("docker-compose.cluster.yml gives every service that makes streams three replicas", () => {
  const making = Object.keys(services).filter(
    (name) => "NATS_REPLICAS" in (services[name]?.environment ?? {}),
  );
  const replicated = Object.keys(cluster).filter((name) => cluster[name]?.environment?.NATS_REPLICAS === "3");
  expect(replicated.sort()).toEqual(making.sort());
  expect(making.length).toBeGreaterThan(3);
});

describe("images", () => {
  const used = Object.fromEntries(
    Object.values(services).map(({ image = "" }) => image.split(":") as [string, string | undefined]),
  );

  test("have a version, but for our own", () => {
    const images = ["grafana/grafana", "grafana/tempo", "nats", "postgres", "prom/prometheus", "redis"];
    expect(Object.keys(used).sort()).toEqual(["croupier", ...images]);
    for (const image of images) expect(used[image]).toMatch(/^v?\d+\.\d+/);
  });

  test("nats is the release that npm run up downloads", () => {
    const [, version] = /^const version = "v([\d.]+)"/m.exec(read("internal/local/nats-release.ts")) ?? [];
    expect(used.nats).toBe(`${version}-alpine`);
  });

  test("Node is the one that package-lock.json pins", () => {
    const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, { version: string }> };
    expect(read("Dockerfile")).toMatch(
      `\nARG NODE=node:${lock.packages["node_modules/node"]?.version}-slim\n`,
    );
  });
});

test("the image takes along no tests and nothing that is not named", () => {
  const patterns = read(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(patterns[0]).toBe("*");
  expect(patterns).toEqual(expect.arrayContaining(["**/*.test.ts", "**/*.fixture.ts"]));
  const allowed = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  expect(allowed.some((path) => /^(\.env|\.git|test|\.data|node_modules)/.test(path))).toBe(false);
});

test("the image has whatever its programs import of internal/local, most of which is left out of it", () => {
  const ignored = read(".dockerignore").split("\n");
  const inImage = ["cmd", "internal"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .map((file) => `${folder}/${file}`)
      .filter((file) => file.endsWith(".ts") && !/\.(test|fixture|arbitrary|example)\.ts$/.test(file))
      .filter((file) => !file.startsWith("cmd/up/"))
      .filter((file) => !file.startsWith("internal/local/") || ignored.includes(`!${file}`)),
  );
  const imported = inImage.flatMap((file) =>
    [...read(file).matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)].map(([, path = ""]) =>
      join(dirname(file), path),
    ),
  );
  const local = imported.filter((file) => file.startsWith("internal/local/"));
  expect(local.length).toBeGreaterThan(1);
  for (const file of local) expect(ignored).toContain(`!${file}`);
});
