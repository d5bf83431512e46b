import type { RunningServer } from "../../internal/local/server.ts";
import { forget, watch } from "./guard.ts";

/** A server of a test that can go away and come back on the same port with the same data. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  readonly running: boolean;
  /** Ends it gracefully. Harmless when it is down. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL. Harmless when it is down. */
  kill(): Promise<void>;
  /** Starts it again after `stop` or `kill`; resolves when it is ready. Harmless when it runs. */
  start(): Promise<void>;
}

/**
 * Starts a server and keeps the means to start it again. `startOn` is called without a port the first time and with the
 * port of the first time from then on.
 */
export async function restartable(startOn: (port?: number) => Promise<RunningServer>): Promise<TestServer> {
  let server = await startOn();
  let running = true;
  const follow = () => {
    const { pid, exited } = server;
    running = true;
    watch(pid);
    void exited.then(() => {
      forget(pid);
      if (server.pid === pid) running = false;
    });
  };
  follow();
  const stop = () => server.stop();
  return {
    url: server.url,
    port: server.port,
    get pid() {
      return server.pid;
    },
    get running() {
      return running;
    },
    stop,
    kill: () => server.kill(),
    start: async () => {
      if (running) return;
      server = await startOn(server.port);
      follow();
    },
    [Symbol.asyncDispose]: stop,
  };
}
