import { setTimeout as sleep } from "node:timers/promises";
import { layout } from "../../internal/enrichment/pipeline.ts";
import { natsVariables } from "../../internal/jetstream/connect.ts";
import { connectOnce } from "../../internal/jetstream/connect-once.ts";
import { lookAt } from "../../internal/overview/look.ts";
import { QueueReader } from "../../internal/overview/queues.ts";
import { StatusBoard, statusSubjects } from "../../internal/overview/status-board.ts";
import { withoutPassword } from "../../internal/service/log.ts";
import type { Opening } from "../../internal/service/opening.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { topCommand } from "./command.ts";
import { hearKeys } from "./keys.ts";
import { viewLines } from "./lines.ts";
import { Screen } from "./screen.ts";

const everyMs = 1_000;
/** Each service reports once a second: after this all of them have. */
const listenMs = 1_500;

await runCommand({
  name: "top",
  build: topCommand,
  variables: natsVariables,
  async run({ once, json }, { say, ...tools }) {
    const { config, signal: stop, onClose } = tools;
    const nc = await connectOnce(tools);
    const board = new StatusBoard();
    nc.subscribe(statusSubjects, {
      callback: (err, { subject, data }) => {
        if (err === null) board.hear(subject, data);
      },
    });
    const isTerminal = process.stdout.isTTY && !once && !json;
    const screen = isTerminal ? new Screen(process.stdout) : undefined;
    if (screen !== undefined) onClose("screen", () => screen.close());
    const keys = screen !== undefined && process.stdin.isTTY ? quitByKey(screen, onClose) : undefined;
    const signal = keys === undefined ? stop : AbortSignal.any([stop, keys]);
    const ending = keys === undefined ? "Ctrl-C ends it." : "q or Ctrl-C ends it.";
    const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);
    const reader = new QueueReader(nc, layout);
    const server = withoutPassword(config.NATS_URL);
    await pause(listenMs);
    while (!signal.aborted) {
      const view = await lookAt(nc, layout, board, reader);
      if (json) say(`${JSON.stringify(view)}\n`);
      else if (screen === undefined) say(`${viewLines(view, server)}\n`);
      else screen.show(`${viewLines(view, server, process.stdout.columns)}\n${ending}\n`);
      if (once) break;
      await pause(everyMs);
    }
  },
});

/** Aborted when somebody quits by a key. Ctrl-Z suspends, and until then the terminal is the shell's again. */
function quitByKey(screen: Screen, onClose: Opening["onClose"]): AbortSignal {
  const quit = new AbortController();
  const end = (): void => quit.abort();
  // The terminal may survive its hang-up, and would keep this mode.
  process.once("SIGHUP", end);
  const listen = (): (() => void) => hearKeys(process.stdin, { quit: end, suspend });
  const suspend = (): void => {
    deafen();
    screen.close();
    process.once("SIGCONT", () => {
      screen.open();
      deafen = listen();
    });
    // To npm and its shell too, for whose end the terminal waits.
    process.kill(0, "SIGTSTP");
  };
  let deafen = listen();
  onClose("keys", () => deafen());
  return quit.signal;
}
