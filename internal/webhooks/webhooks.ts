import type { Database } from "../postgres/connect.ts";
import { parseNetworks } from "./address-guard.ts";
import { Deliverer } from "./deliver.ts";
import { Destinations } from "./destinations.ts";
import { SecretBox } from "./secret-box.ts";

/** What the environment says of deliveries. */
export interface DeliverySettings {
  /** 32 bytes each; the first encrypts. */
  readonly DELIVERY_KEY: readonly Uint8Array[] | undefined;
  readonly DELIVERY_ALLOW_PRIVATE: string | undefined;
  readonly DELIVERY_PROXY: string | undefined;
}

/** All that those need who set up destinations, look at deliveries or ask for more of them. */
export interface Webhooks {
  readonly db: Database;
  readonly destinations: Destinations;
  /** For tests on demand; to be closed. */
  readonly deliverer: Deliverer;
}

/** @returns undefined where there is no key to keep secrets with */
export function openWebhooks(db: Database, settings: DeliverySettings): Webhooks | undefined {
  const { DELIVERY_KEY: keys } = settings;
  if (keys === undefined) return undefined;
  return { db, destinations: new Destinations(db, new SecretBox(keys)), deliverer: openDeliverer(settings) };
}

/** What makes the calls, as the environment has it; to be closed. */
function openDeliverer({
  DELIVERY_ALLOW_PRIVATE: allow,
  DELIVERY_PROXY: proxy,
}: Omit<DeliverySettings, "DELIVERY_KEY">): Deliverer {
  return new Deliverer({ allow: allow === undefined ? [] : parseNetworks(allow), proxy });
}
