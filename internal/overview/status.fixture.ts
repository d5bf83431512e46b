import { encodeStatus, type Status, type WorkStatus } from "../telemetry/status.ts";

export const workOf = (more: Partial<WorkStatus> = {}): WorkStatus => ({
  events: 0,
  rate: 0,
  in_flight: 0,
  messages: 0,
  bundle_mean: null,
  redelivered: 0,
  retried: 0,
  dead_letters: 0,
  dead_letters_by_reason: {},
  p50_ms: null,
  p99_ms: null,
  ...more,
});

export const statusOf = (service: string, more: Partial<Status> = {}): Status => ({
  service,
  instance: "host-1-abc",
  host: "host",
  pid: 1,
  version: "1.0.0",
  started_at: "2026-01-01T00:00:00.000Z",
  at: "2026-01-01T00:00:01.000Z",
  ready: true,
  problems: [],
  warnings: [],
  cpu: 0.1,
  memory: { rss: 100, heap_used: 50 },
  event_loop_p99_ms: 1,
  work: {},
  ...more,
});

/** A status as it comes over the bus. */
export const spoken = (status: Status) =>
  [`croupier.status.${status.service}.${status.instance}`, Buffer.from(encodeStatus(status))] as const;
