import { type ChildProcess, spawn } from "node:child_process";

/**
 * Ends servers and removes folders when this process is gone without having done so itself: after kill -9, or when the
 * runner tears its workers down. A shell that waits on a pipe only we hold: the kernel closes it for us in every case.
 */
const script = `
while read -r verb what; do
  case $verb in
    watch) pids="$pids $what " ;;
    forget) pids=$(printf %s "$pids" | sed "s/ $what / /") ;;
    stop) stops="$stops $what" ;;
    folder) set -- "$@" "$what" ;;
  esac
done
for pid in $stops; do
  kill "$pid" 2>/dev/null || continue
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do kill -0 "$pid" 2>/dev/null && sleep 1; done
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for folder do rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }; done
`;

let shell: ChildProcess | undefined;

/** From now on `pid` does not outlive this process. */
export function watch(pid: number): void {
  tell(`watch ${pid}`);
}

/** From now on `pid`, which cleans up behind itself when asked to stop, does not outlive this process. */
export function stopAtEnd(pid: number): void {
  tell(`stop ${pid}`);
}

/** The process has ended; its number may soon be somebody else's. */
export function forget(pid: number): void {
  tell(`forget ${pid}`);
}

/** From now on the folder does not outlive this process. */
export function removeAtEnd(folder: string): void {
  tell(`folder ${folder}`);
}

function tell(line: string): void {
  if (shell === undefined) {
    shell = spawn("sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    // It must outlive this process, and never be the reason that this process stays.
    shell.unref();
  }
  const { stdin } = shell;
  if (stdin !== null && "unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  stdin?.write(`${line}\n`);
}
