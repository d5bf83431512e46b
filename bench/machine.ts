import { cpus, loadavg, totalmem } from "node:os";

/** The machine and versions of a run, in one line. */
export function machine(natsVersion: string): string {
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.version}`,
    `nats-server ${natsVersion} (file storage)`,
    `load average at the end ${loadavg()[0]?.toFixed(1)}`,
    new Date().toISOString().slice(0, 16),
  ].join(", ");
}
