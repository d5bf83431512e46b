import type { RunningServer } from "../../internal/local/server.ts";
import { forget, watch } from "./guard.ts";

/** What `restartable` adds to a server's options. */
export interface Again {
  readonly port: number | undefined;
  readonly spawned: (pid: number) => void;
}

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
 * Starts a server and keeps the means to start it again: `launch` is called without a port the first time and with the
 * port of the first time from then on.
 */
export async function restartable(launch: (again: Again) => Promise<RunningServer>): Promise<TestServer> {
  let server = await launch({ port: undefined, spawned: watch });
  let running = true;
  const follow = () => {
    const { pid, exited } = server;
    running = true;
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
      server = await launch({ port: server.port, spawned: watch });
      follow();
    },
    [Symbol.asyncDispose]: stop,
  };
}
