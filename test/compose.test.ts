import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { natsRoles, passwordVariable } from "../internal/local/nats-users.ts";
import { databaseUsers } from "../internal/postgres/roles.ts";
import { startCommand } from "./harness/command.ts";

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

/** Not for containers: one machine's own supervisor, and the health check. */
const notRun = ["healthcheck", "up"];
/** The image sets the first two; the others are for those who change the file. */
const notSet = ["HTTP_HOST", "HTTP_PORT", "NATS_CREDS", "STEPS"];

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
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own form of a variable.
    expect(published).toEqual(["nats", "gateway"].map((name) => [name, "${LISTEN_ADDRESS:-127.0.0.1}"]));
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
      const url = services[user]?.environment?.NATS_URL;
      if (services[user] !== undefined) expect(url).toBe(`nats://${role}:${password}@nats:4222`);
    }
  });

  test("has one password for each service's role in Postgres, which that service uses", () => {
    const password = (user: string) => `\${POSTGRES_${user.toUpperCase()}_PASSWORD:-${user}}`;
    expect(services.migrate?.environment?.DATABASE_PASSWORDS).toBe(
      databaseUsers.map((user) => `${user}=${password(user)}`).join(),
    );
    for (const [name, { environment = {} }] of ours.filter(([name]) => name !== "migrate")) {
      const user = databaseUsers.find((it) => it === name) ?? "operator";
      const url = `postgres://casino_${user}:${password(user)}@postgres:5432/casino`;
      if ("DATABASE_URL" in environment) expect([name, environment.DATABASE_URL]).toEqual([name, url]);
    }
  });

  test("takes what .env.example explains, with the same defaults", () => {
    const text = read("docker-compose.yml") + read("docker-compose.cluster.yml");
    const used = [...text.matchAll(/\$\{(\w+):?-([^}]*)\}/g)].map(([, name = "", preset = ""]) => [
      name,
      preset,
    ]);
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
    expect(Object.keys(used).sort()).toEqual(["croupier", "nats", "postgres", "redis"]);
    for (const image of ["nats", "postgres", "redis"]) expect(used[image]).toMatch(/^\d+\.\d+/);
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
