/** One service as `npm run up` runs it. */
export interface ServiceSpec {
  /** What `--no-<name>` leaves out. */
  readonly name: string;
  /** Its folder below cmd/, where that has another name. */
  readonly command?: string;
  readonly args?: readonly string[];
  /** Services start from the lowest stage to the highest and stop the other way round, each stage at once. */
  readonly stage: 1 | 2 | 3;
  /** "front": it listens on `--port` when no earlier one of these runs; "own": on any free port; "none": no HTTP. */
  readonly http: "front" | "own" | "none";
  /** It asks for API keys: `up` has one made and shows how to use it. */
  readonly asksForKeys?: true;
  /** Its stdout is what `up` writes to stdout; everybody else's goes to stderr. */
  readonly writesEvents?: true;
}

/** Everything that `npm run up` starts beside NATS, Postgres and Redis. A new service is one more line. */
export const services: readonly ServiceSpec[] = [
  { name: "rates", stage: 1, http: "own" },
  { name: "enricher", stage: 2, http: "own" },
  { name: "gateway", stage: 2, http: "front", asksForKeys: true },
  { name: "materializer", stage: 2, http: "front" },
  { name: "logger", stage: 2, http: "own", writesEvents: true },
  { name: "archiver", stage: 2, http: "own" },
  { name: "sender", stage: 2, http: "own" },
  { name: "generator", stage: 3, http: "none" },
];
