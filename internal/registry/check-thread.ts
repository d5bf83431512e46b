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

// The thread in which data are checked against registered schemas. It bounds nothing itself: whoever started it sees where
// it is, and ends it.

const settings: ThreadSettings = workerData; // from CheckThread, which types it
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
      // Known now, should the search for all of them be cut short.
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

/** Registration lets only good schemas in, so a bad one was put there by hand: its events are set aside, none is lost. */
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
