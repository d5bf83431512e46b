import { Session } from "node:inspector";
import { parentPort, workerData } from "node:worker_threads";
import { type InHand, WatchdogBoard } from "./watchdog-board.ts";
import {
  inWords,
  type Place,
  type PlaceTaken,
  stuckExitCode,
  type ThreadSettings,
} from "./watchdog-terms.ts";

// The watchdog's thread: looks at the board in regular steps and counts steps, never time. While the process is
// suspended, or the machine sleeps, it counts nothing.

const settings: ThreadSettings = workerData; // set by Watchdog, which types it
const board = new WatchdogBoard(settings.memory);
const places: Place[] = [];
parentPort?.on("message", ({ index, step, stream }: PlaceTaken) => {
  places[index] = { step, stream };
});

/** How long the blocked event loop may take to report where it is. */
const patienceMs = 5_000;

let beats = -1;
let stepsWithoutBeat = 0;
const calls: { call: number; steps: number }[] = [];

const timer = setInterval(() => {
  if (board.isDebugged) return;
  stepsWithoutBeat = board.beats === beats ? stepsWithoutBeat + 1 : 0;
  beats = board.beats;
  if (stepsWithoutBeat >= settings.blockedSteps) {
    clearInterval(timer);
    end();
  }
  for (const [index] of places.entries()) {
    const call = board.callAt(index);
    const seen = calls[index];
    const steps = call !== 0 && seen?.call === call ? seen.steps + 1 : 0;
    calls[index] = { call, steps };
    if (steps === settings.callSteps) parentPort?.postMessage(index);
  }
}, settings.stepMs);

/** The event loop is blocked: reports what is in hand and where the code is, and kills the process. */
function end(): void {
  // A fallback for when not even the inspector gets through, as in native code.
  const kill = () => process.kill(process.pid, "SIGKILL");
  setTimeout(() => void say([]).finally(kill), patienceMs);
  const session = new Session();
  const files = new Map<string, string>();
  session.on("Debugger.scriptParsed", ({ params }) => files.set(params.scriptId, params.url));
  session.on("Debugger.paused", async ({ params }) => {
    const at = params.callFrames.slice(0, 10).map(({ functionName, location }) => {
      const file = files.get(location.scriptId) ?? "";
      return `${functionName || "<anonymous>"} (${file}:${location.lineNumber + 1})`;
    });
    await say(at);
    // Keeps Node from reporting on stderr, after our last line, that it waits for a debugger.
    const silence = "process.getBuiltinModule('node:fs').closeSync(2)";
    session.post("Runtime.evaluate", { expression: `${silence}; process.reallyExit(${stuckExitCode})` });
  });
  session.connectToMainThread();
  session.post("Debugger.enable");
  session.post("Debugger.pause");
}

let isSaid = false;

async function say(at: readonly string[]): Promise<void> {
  if (isSaid) return;
  isSaid = true;
  // Loaded only now: it would add a tenth of a second to each start.
  const { createLog } = await import("../service/log.ts");
  const hands = places.flatMap((place, index): (Place & InHand)[] =>
    board.callAt(index) === 0 ? [] : [{ ...place, ...board.inHandAt(index) }],
  );
  const what = hands.length === 0 ? "" : ` with ${hands.map(inWords).join(" and ")} in hand`;
  createLog(settings.service, settings.level).fatal(
    { inHand: hands, at },
    `the event loop was blocked for ${settings.blockedMs / 1000} s${what}: the process ends, what it held comes again`,
  );
}
