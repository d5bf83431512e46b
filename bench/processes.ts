import { readdirSync, readFileSync } from "node:fs";

/** The usage of each named process so far: CPU in ms, resident memory in bytes. Processes of the same name are added up. */
export type Usage = ReadonlyMap<string, { readonly cpuMs: number; readonly memory: number }>;

/** /proc counts CPU time in ticks of 10 ms, whatever the kernel's own tick is. */
const msPerTick = 10;
const pageBytes = 4096;

/** The running processes to measure, by /proc; without it, outside Linux, there are no figures. */
export class Processes {
  readonly #names = new Map<number, string>();

  add(name: string, pid: number): void {
    this.#names.set(pid, name);
  }

  delete(pid: number): void {
    this.#names.delete(pid);
  }

  usage(): Usage {
    const used = new Map<string, { cpuMs: number; memory: number }>();
    const stats = readStats();
    for (const [pid, name] of this.#names) {
      const sum = used.get(name) ?? { cpuMs: 0, memory: 0 };
      // Postgres is many processes: the living ones, and the ended ones whose usage its parent has taken over.
      for (const stat of stats.filter((other) => other.pid === pid || other.parent === pid)) {
        sum.cpuMs += (stat.ticks + (stat.pid === pid ? stat.childTicks : 0)) * msPerTick;
        sum.memory += stat.pages * pageBytes;
      }
      used.set(name, sum);
    }
    return used;
  }

  /** CPU of this process's ended children, in ms, such as generators. */
  endedChildrenMs(): number {
    const own = readStats().find(({ pid }) => pid === process.pid);
    return (own?.childTicks ?? 0) * msPerTick;
  }
}

/** CPU between two samples in µs per event, by name, the most expensive first. */
export function cpuPerEvent(before: Usage, after: Usage, events: number): ReadonlyMap<string, number> {
  const costs = [...after].map(([name, { cpuMs }]): [string, number] => [
    name,
    Math.max(0, ((cpuMs - (before.get(name)?.cpuMs ?? 0)) * 1000) / events),
  ]);
  return new Map(costs.sort(([, a], [, b]) => b - a));
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  /** CPU of its ended children. */
  readonly childTicks: number;
  readonly pages: number;
}

function readStats(): readonly Stat[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // The process has ended.
    return undefined;
  }
  // The name, in parentheses, may contain spaces and parentheses. Fields by proc_pid_stat(5), from the third on.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const field = (number: number) => fields[number - 3] ?? 0;
  return {
    pid,
    parent: field(4),
    ticks: field(14) + field(15),
    childTicks: field(16) + field(17),
    pages: field(24),
  };
}
