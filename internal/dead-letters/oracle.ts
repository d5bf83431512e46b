import type { NatsConnection } from "nats";
import { hasClient } from "../clients/directory.ts";
import type { Log } from "../log.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { Registry } from "../registry/registry.ts";
import { currentRates, type Oracle } from "./forecast.ts";

/** What a look ahead needs, from Postgres and the broker. It turns to Postgres only once it is asked for something there. */
export function openOracle(nc: NatsConnection, databaseUrl: string, log: Log): Oracle & AsyncDisposable {
  const db = connectPostgres(databaseUrl, "dead-letters", log, { max: 2 });
  let registry: Registry | undefined;
  return {
    types: {
      decode(client, read) {
        let isCustom = false;
        const decoded = read(() => {
          isCustom = true;
          return undefined;
        });
        if (!isCustom) return decoded;
        registry ??= Registry.start(db, log);
        return registry.decode(client, read);
      },
    },
    knowsClient: (client) => hasClient(db, client),
    rates: currentRates(nc),
    async [Symbol.asyncDispose]() {
      await registry?.close();
      await db.destroy();
    },
  };
}
