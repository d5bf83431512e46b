import type { NatsConnection } from "nats";
import { takesEventsOf } from "../../internal/clients/client-repository.ts";
import type { DryRunRules } from "../../internal/dead-letters/dry-run.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { currentRates } from "../../internal/rates/current-rates.ts";
import { Registry } from "../../internal/registry/registry.ts";
import type { Log } from "../../internal/service/log.ts";

/** What a dry run needs from Postgres and the broker. It connects to Postgres only when it is needed. */
export function openDryRunRules(
  nc: NatsConnection,
  databaseUrl: string,
  maxAheadMs: number,
  log: Log,
): DryRunRules & AsyncDisposable {
  const db = connectPostgres(databaseUrl, "dead-letters", log, { max: 2 });
  let registry: Registry | undefined;
  return {
    maxAheadMs,
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
    knowsClient: (client) => takesEventsOf(db, client),
    currentRates: currentRates(nc),
    async [Symbol.asyncDispose]() {
      await registry?.close();
      await db.destroy();
    },
  };
}
