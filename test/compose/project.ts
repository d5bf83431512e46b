import { type ExecFileOptions, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../internal/local/free-port.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** What .env.example names: none of it may come from the shell of who runs this. */
const settable = [...readFileSync(join(root, ".env.example"), "utf8").matchAll(/^([A-Z_]+)=/gm)].map(
  ([, name = ""]) => name,
);

/** What `docker inspect` says of a container, as far as it is asked here. */
export interface Container {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: { Status: string };
  };
  readonly Config: { readonly Labels: Readonly<Record<string, string>>; readonly User: string };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly Memory: number;
  };
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[] | null>>;
  };
}

export function serviceOf(container: Container): string {
  return container.Config.Labels["com.docker.compose.service"] ?? "";
}

/**
 * The stack of docker-compose.yml under a project name and on ports of its own, so that one that already runs is not
 * touched. No .env is read but the one given.
 */
export class Project {
  readonly #name: string;
  readonly #files: readonly string[];
  readonly #envFile: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly natsPort: number;
  readonly gateway: string;
  readonly prometheus: string;
  readonly grafana: string;

  private constructor(
    options: ProjectOptions,
    [gateway = 0, nats = 0, prometheus = 0, grafana = 0]: readonly number[],
  ) {
    this.#name = options.name;
    this.#files = options.files ?? ["docker-compose.yml"];
    this.#envFile = options.envFile ?? "/dev/null";
    this.#env = { ...process.env };
    for (const name of settable) delete this.#env[name];
    Object.assign(this.#env, {
      GATEWAY_PORT: String(gateway),
      NATS_PORT: String(nats),
      PROMETHEUS_PORT: String(prometheus),
      GRAFANA_PORT: String(grafana),
      ...options.env,
    });
    this.natsPort = nats;
    this.gateway = `http://127.0.0.1:${gateway}`;
    this.prometheus = `http://127.0.0.1:${prometheus}`;
    this.grafana = `http://127.0.0.1:${grafana}`;
  }

  static async of(options: ProjectOptions): Promise<Project> {
    return new Project(options, [await freePort(), await freePort(), await freePort(), await freePort()]);
  }

  /** Runs `docker compose <args>` and resolves to its stdout. Throws with what it said. */
  async compose(...args: readonly string[]): Promise<string> {
    const files = this.#files.flatMap((file) => ["--file", file]);
    const own = ["--project-name", this.#name, "--env-file", this.#envFile, ...files];
    return await docker(["compose", ...own, ...args], { env: this.#env });
  }

  /** Runs a command line in which `docker compose` means this project. Throws when it fails. */
  async shell(command: string): Promise<void> {
    await run("sh", ["-c", command], { cwd: root, env: this.#shellEnv, maxBuffer: 2 ** 27 });
  }

  /** The first that such a command line writes to stdout within a minute; it is interrupted then. */
  async firstWords(command: string): Promise<string> {
    const child = spawn("sh", ["-c", `exec ${command}`], {
      cwd: root,
      env: this.#shellEnv,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const closed = once(child, "close");
    try {
      const [words] = await once(child.stdout, "data", { signal: AbortSignal.timeout(60_000) });
      return String(words);
    } finally {
      child.kill("SIGINT");
      await closed;
    }
  }

  get #shellEnv(): NodeJS.ProcessEnv {
    return { ...this.#env, COMPOSE_PROJECT_NAME: this.#name, COMPOSE_ENV_FILES: this.#envFile };
  }

  /** All that this stack consists of now, stopped or not; of one service, if it is named. */
  async containers(service?: string): Promise<readonly Container[]> {
    const ids = await this.compose("ps", "--all", "--quiet", ...(service === undefined ? [] : [service]));
    const known = ids.split("\n").filter(Boolean);
    if (known.length === 0) return [];
    return JSON.parse(await docker(["inspect", ...known])) as Container[]; // the engine's own form
  }

  /** The first row's first column of a query in the stack's Postgres. */
  async query(sql: string): Promise<string> {
    const psql = [
      "psql",
      "--username=casino",
      "--dbname=casino",
      "--tuples-only",
      "--no-align",
      "--command",
      sql,
    ];
    return (await this.compose("exec", "-T", "postgres", ...psql)).trim();
  }

  /** Ends the process of a service with kill -9 from within, so that the restart policy applies as after a crash. */
  async crash(service: string): Promise<void> {
    // sh dies of it, too: the exit code says nothing.
    await this.compose("exec", "-T", service, "sh", "-c", "kill -9 -1").catch(() => undefined);
  }

  async down(...args: readonly string[]): Promise<void> {
    await this.compose(
      "--profile",
      "commands",
      "--profile",
      "observability",
      "down",
      "--remove-orphans",
      ...args,
    );
  }

  /** Containers, volumes and networks of this project that are still there. */
  async leftovers(): Promise<readonly string[]> {
    const mine = ["--quiet", "--filter", `label=com.docker.compose.project=${this.#name}`];
    const lists = [
      ["ps", "--all"],
      ["volume", "ls"],
      ["network", "ls"],
    ];
    const found = await Promise.all(lists.map((list) => docker([...list, ...mine])));
    return found.flatMap((ids) => ids.split("\n").filter(Boolean));
  }
}

export interface ProjectOptions {
  readonly name: string;
  readonly files?: readonly string[];
  readonly envFile?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `docker <args>` and resolves to its stdout. Throws an Error with the end of what it said. */
export async function docker(args: readonly string[], options: ExecFileOptions = {}): Promise<string> {
  try {
    const { stdout } = await run("docker", args, { cwd: root, maxBuffer: 2 ** 27, ...options });
    return String(stdout);
  } catch (err) {
    const { stdout = "", stderr = "", code } = err as { stdout?: string; stderr?: string; code?: unknown }; // as execFile() rejects
    const said = `${stdout}${stderr}`.trim().split("\n").slice(-30).join("\n");
    throw new Error(`docker ${args.slice(0, 12).join(" ")} failed (${String(code)}):\n${said}`, {
      cause: err,
    });
  }
}
