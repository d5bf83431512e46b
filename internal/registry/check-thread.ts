import { parentPort, workerData } from "node:worker_threads";
import { fieldError } from "../casino/field-error.ts";
import {
  checking,
  compiling,
  type Done,
  type Job,
  type Refused,
  type ThreadSettings,
} from "./check-terms.ts";
import { compileDataChecks, type DataChecks, RegistrationError } from "./data-check.ts";

// The thread that checks data against registered schemas. It limits nothing itself: its starter sees where it is and ends
// it.

const settings: ThreadSettings = workerData; // set by CheckThread, which types it
const place = new Int32Array(settings.place);
const schemas = new Map<string, string>();
const compiled = new Map<string, DataChecks>();

parentPort?.on("message", (job: Job) => {
  for (const digest of job.forgotten) {
    schemas.delete(digest);
    compiled.delete(digest);
  }
  for (const [digest, schema] of job.schemas) schemas.set(digest, schema);
  say(work(job));
});

function work({ data, sliceMs }: Job): Done {
  const before = process.threadCpuUsage();
  const until = performance.now() + sliceMs;
  let checked = 0;
  for (const { digest, text } of data) {
    if (checked > 0 && performance.now() > until) break;
    Atomics.store(place, 0, compiling(checked));
    const checks = compiled.get(digest) ?? compile(digest);
    Atomics.store(place, 0, checking(checked));
    const datum: unknown = JSON.parse(text);
    const errors = checks.first(datum);
    if (errors.length > 0) {
      // Sent now, in case the search for all errors is cut short.
      say({ index: checked, errors });
      const all = checks.all(datum);
      if (all.length > errors.length) say({ index: checked, errors: all });
    }
    checked++;
  }
  const { user, system } = process.threadCpuUsage(before);
  return { checked, tookMs: (user + system) / 1_000 };
}

function compile(digest: string): DataChecks {
  const checks = checksOf(schemas.get(digest) ?? "null");
  compiled.set(digest, checks);
  return checks;
}

/** Registration accepts only valid schemas, so a bad one was inserted by hand: its events are set aside, none is lost. */
function checksOf(schema: string): DataChecks {
  try {
    return compileDataChecks(JSON.parse(schema));
  } catch (err) {
    if (!(err instanceof RegistrationError)) throw err;
    const broken = [fieldError("", `cannot be checked, its registered schema is broken: ${err.message}`)];
    return { first: () => broken, all: () => broken };
  }
}

function say(message: Refused | Done): void {
  parentPort?.postMessage(message);
}
