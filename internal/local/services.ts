/** One service as `npm run up` runs it. */
export interface ServiceSpec {
  /** The name in `--no-<name>`. */
  readonly name: string;
  /** Its folder below cmd/, if that has another name. */
  readonly command?: string;
  readonly args?: readonly string[];
  /** Services start from the lowest stage to the highest and stop in reverse; those of a stage start together. */
  readonly stage: 1 | 2 | 3;
  /** "front": listens on `--port` if no earlier "front" service runs; "own": on any free port; "none": no HTTP. */
  readonly http: "front" | "own" | "none";
  /** Whether it asks for API keys: then `up` creates one and shows how to use it. */
  readonly asksForKeys?: true;
  /** Whether `up` passes its stdout on to stdout; the output of all others goes to stderr. */
  readonly writesEvents?: true;
}

/** All services that `npm run up` starts. A new service is one more line. */
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
