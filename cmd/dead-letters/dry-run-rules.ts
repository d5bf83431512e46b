import type { NatsConnection } from "nats";
import { takesEventsOf } from "../../internal/clients/client-repository.ts";
import type { DryRunRules } from "../../internal/dead-letters/dry-run.ts";
import { openPostgres } from "../../internal/postgres/connect.ts";
import { currentRates } from "../../internal/rates/current-rates.ts";
import { Registry } from "../../internal/registry/registry.ts";
import type { Opening } from "../../internal/service/opening.ts";

/** What a dry run needs from Postgres and the broker. It connects to Postgres only when it is needed. */
export function openDryRunRules(
  opening: Omit<Opening<"DATABASE_URL" | "EVENT_MAX_AHEAD">, "signal">,
  nc: NatsConnection,
): DryRunRules {
  const { config, log, onClose } = opening;
  const db = openPostgres(opening, { max: 2 });
  let registry: Registry | undefined;
  onClose("event types", () => registry?.close());
  return {
    maxAheadMs: config.EVENT_MAX_AHEAD,
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
  };
}
