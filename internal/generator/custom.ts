import { generateSync, type JsonSchema } from "json-schema-faker";
import type { Database } from "../postgres/connect.ts";
import { compileDataCheck } from "../registry/data-check.ts";
import { listTypes, missingType } from "../registry/event-types.ts";
import { ConfigError } from "../service/config.ts";
import type { MakeEvents } from "./events.ts";

/**
 * Random events of a type registered for this client or for all, by its current schema.
 * @throws ConfigError when the type does not exist, or no data can be generated for its schema; Unavailable
 */
export async function customEvents(db: Database, client: string, type: string): Promise<MakeEvents> {
  const missing = await missingType(db, client, type);
  // A client's own type comes after the one for all.
  const found = (await listTypes(db)).findLast(
    (one) => one.type === type && (one.client === undefined || one.client === client),
  );
  if (missing !== undefined || found === undefined)
    throw new ConfigError([missing ?? `The type ${type} was removed meanwhile.`]);
  const data = randomData(type, found.schema);
  data(() => 0.5);
  return function* (random, now) {
    for (let id = 1; ; id++) yield { id, type, created_at: now().toISOString(), data: data(random) };
  };
}

const mostAttempts = 100;

/** Generates data that satisfies a schema: the same from the same random numbers. */
function randomData(type: string, schema: unknown): (random: () => number) => unknown {
  const check = compileDataCheck(schema);
  return (random) => {
    let because = "";
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const seed = Math.floor(random() * 2 ** 32) + attempt;
      // A schema that compiles is an object, which is all this type says.
      const data = generateSync(schema as JsonSchema, { seed, useExamplesValue: true });
      const [error] = check(data);
      if (error === undefined) return data;
      because = `/data${error.path} ${error.message}`;
    }
    throw new ConfigError([
      `--type must have a schema that random data can satisfy, which that of ${type} is not (${because}).`,
    ]);
  };
}
