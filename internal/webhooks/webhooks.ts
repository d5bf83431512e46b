import type { Database } from "../postgres/connect.ts";
import { parseNetworks } from "./address-guard.ts";
import { Deliverer } from "./deliver.ts";
import { Destinations } from "./destinations.ts";
import { SecretBox } from "./secret-box.ts";

/** The environment's settings of deliveries. */
interface DeliverySettings {
  /** 32 bytes each; the first encrypts. */
  readonly DELIVERY_KEY: readonly Uint8Array[] | undefined;
  readonly DELIVERY_ALLOW_PRIVATE: string | undefined;
  readonly DELIVERY_PROXY: string | undefined;
}

/** What routes and commands need to manage destinations and deliveries. */
export interface Webhooks {
  readonly db: Database;
  readonly destinations: Destinations;
  /** Makes test calls. The caller closes it. */
  readonly deliverer: Deliverer;
}

/** @returns undefined if there is no key to encrypt secrets */
export function openWebhooks(db: Database, settings: DeliverySettings): Webhooks | undefined {
  const { DELIVERY_KEY: keys } = settings;
  if (keys === undefined) return undefined;
  return { db, destinations: new Destinations(db, new SecretBox(keys)), deliverer: openDeliverer(settings) };
}

/** Makes the calls, configured by the environment. The caller closes it. */
export function openDeliverer({
  DELIVERY_ALLOW_PRIVATE: allow,
  DELIVERY_PROXY: proxy,
}: Omit<DeliverySettings, "DELIVERY_KEY">): Deliverer {
  return new Deliverer({ allow: allow === undefined ? [] : parseNetworks(allow), proxy });
}
