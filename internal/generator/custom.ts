import { generateSync, type JsonSchema } from "json-schema-faker";
import { casinoTypes } from "../casino/event.ts";
import type { Database } from "../postgres/connect.ts";
import { compileDataCheck } from "../registry/data-check.ts";
import { listTypes } from "../registry/event-types.ts";
import { ConfigError } from "../service/config.ts";
import { nearMiss } from "../service/near-miss.ts";
import type { MakeEvents } from "./events.ts";

/**
 * Random events of a type registered for this client or for all, by its current schema.
 * @throws ConfigError when the type does not exist, or no data can be generated for its schema; Unavailable
 */
export async function customEvents(db: Database, client: string, type: string): Promise<MakeEvents> {
  const types = (await listTypes(db)).filter((one) => one.client === undefined || one.client === client);
  // A client's own type comes after the one for all.
  const found = types.findLast((one) => one.type === type);
  if (found === undefined) {
    const names = [...new Set([...casinoTypes, ...types.map((one) => one.type)])];
    const meant = nearMiss(type, names);
    const next =
      meant === undefined
        ? `"croupier event-types list" shows those beside ${casinoTypes.join(", ")}.`
        : `did you mean ${meant}?`;
    throw new ConfigError([`There is no type ${type} for client ${client}: ${next}`]);
  }
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
