import { spawn } from "node:child_process";
import { join } from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "nats";
import { afterAll } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { logLines } from "../../test/harness/command.ts";
import { forget, watch } from "../../test/harness/guard.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { type Child, follow } from "../local/child.ts";
import { idsIn } from "../messages/bundle.fixture.ts";

const fixture = join(import.meta.dirname, "poison.fixture.ts");

/** A worker that is started again whenever it ends. */
class Supervised {
  readonly ends: string[] = [];
  stderr = "";
  readonly #args: readonly string[];
  #child: Child | undefined;
  #isWanted = true;
  readonly #loop: Promise<void>;

  constructor(url: string, args: readonly string[]) {
    this.#args = ["--max-old-space-size=64", fixture, ...args];
    this.#loop = this.#run(url);
  }

  async #run(url: string): Promise<void> {
    while (this.#isWanted) {
      const child = spawn(process.execPath, this.#args, {
        stdio: ["ignore", "ignore", "pipe"],
        env: { PATH: process.env.PATH, NATS_URL: url, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
      });
      child.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
      this.#child = follow(child, "SIGTERM");
      watch(this.#child.pid);
      this.ends.push(await this.#child.exited);
      forget(this.#child.pid);
    }
  }

  /** As an operator may, or the system: it is started again. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Stops and goes on, as a machine that sleeps. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    process.kill(this.#child?.pid ?? 0, name);
  }

  /** Gracefully, for good. */
  async stop(): Promise<string | undefined> {
    this.#isWanted = false;
    await this.#child?.stop();
    await this.#loop;
    return this.ends.pop();
  }

  /** Its last words, of all its lives. */
  get fatal(): Record<string, unknown>[] {
    return logLines(this.stderr).filter(({ level }) => level === "fatal");
  }

  /** How often it has said so. */
  said(message: string): number {
    return logLines(this.stderr).filter(({ msg }) => msg === message).length;
  }
}
/** Starts the workers of one test file: they end with it. */
export function workersForTest(): (url: string, args?: readonly string[]) => Supervised {
  const workers: Supervised[] = [];
  afterAll(() => Promise.all(workers.map((worker) => worker.stop())));
  return (url, args = []) => {
    const worker = new Supervised(url, args);
    workers.push(worker);
    return worker;
  };
}

/** A broker of its own with the streams, and messages in it. */
export class Scene implements AsyncDisposable {
  readonly url: string;
  readonly #nc: NatsConnection;
  readonly #jsm: JetStreamManager;
  readonly #publisher: Publisher;

  private constructor(url: string, nc: NatsConnection, jsm: JetStreamManager) {
    this.url = url;
    this.#nc = nc;
    this.#jsm = jsm;
    this.#publisher = new Publisher(nc);
  }

  static async make(): Promise<Scene> {
    const { url } = await natsForTest();
    const nc = await connect({ servers: url });
    await ensureStreams(nc, ["raw", "apart", "tested"], defaultLimits);
    return new Scene(url, nc, await jetstreamManager(nc));
  }

  async send(ids: readonly number[]): Promise<void> {
    await Promise.all(
      ids.map((id) =>
        this.#publisher.publish({
          subject: "casino.event.raw.casino",
          payload: Buffer.from(raw(id)),
          headers: new OutgoingHeaders().add("Nats-Msg-Id", `test:${id}`).add("X-Own", "kept"),
        }),
      ),
    );
  }

  /** As one message. */
  async sendTogether(ids: readonly number[]): Promise<void> {
    await this.#publisher.publish({
      subject: "casino.event.raw.casino",
      payload: `[${ids.map(raw)}]`,
      headers: new OutgoingHeaders(),
    });
  }

  async count(stream: string): Promise<number> {
    return (await this.#jsm.streams.info(stream)).state.messages;
  }

  /** Payloads and headers of all that a stream holds. */
  async stored(stream: string) {
    const { state } = await this.#jsm.streams.info(stream);
    const seqs = Array.from({ length: state.messages }, (_, index) => state.first_seq + index);
    return Promise.all(
      seqs.map(async (seq) => {
        const message = await this.#jsm.streams.getMessage(stream, { seq });
        return { text: message?.string() ?? "", header: (name: string) => message?.header.get(name) };
      }),
    );
  }

  /** What waits for its back-off: a mailbox makes its consumer anew, which delivers everything. */
  async deliverAtOnce(): Promise<void> {
    await this.#jsm.consumers.delete("CASINO_RAW", "test").catch((err: Error) => {
      // nats-server 2.9 was just writing down what the consumer remembers; the consumer is gone all the same.
      if (!err.message.includes("directory not empty")) throw err;
    });
  }

  async forwarded(): Promise<readonly number[]> {
    return idsIn(await this.stored("CASINO_TESTED")).toSorted((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#publisher.close();
    await this.#nc.close();
  }
}

export const raw = (id: number) =>
  `{"id":${id},"type":"game_start","player_id":10,"game_id":100,"created_at":"2022-01-10T12:34:56Z"}`;
export const ids = (from: number, many: number) => Array.from({ length: many }, (_, index) => from + index);
