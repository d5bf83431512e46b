import { resolve } from "node:path";

/** Where Node keeps what it has compiled: a third less CPU for each start of a service, two or three seconds of `up`'s. */
const compileCache = resolve(import.meta.dirname, "../../node_modules/.cache/compile");

/** The environment of a script of ours: this process's own, and what is given. */
export function childEnvironment(given: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: compileCache, ...process.env, ...given };
}
