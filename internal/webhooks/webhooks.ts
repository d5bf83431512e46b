import type { Database } from "../postgres/connect.ts";
import type { Opening } from "../service/opening.ts";
import { Deliverer } from "./deliver.ts";
import { Destinations } from "./destinations.ts";
import { SecretBox } from "./secret-box.ts";

/** The variables of whatever manages destinations or calls them. */
export const webhookVariables = ["DELIVERY_KEY", "DELIVERY_ALLOW_PRIVATE", "DELIVERY_PROXY"] as const;
type WebhooksOpening = Pick<Opening<(typeof webhookVariables)[number]>, "config" | "onClose">;

/** What routes and commands need to manage destinations and deliveries. */
export interface Webhooks {
  readonly db: Database;
  readonly destinations: Destinations;
  /** Makes test calls. */
  readonly deliverer: Deliverer;
}

/** @returns undefined if there is no key to encrypt secrets */
export function openWebhooks(opening: WebhooksOpening, db: Database): Webhooks | undefined {
  const { DELIVERY_KEY: keys } = opening.config;
  if (keys === undefined) return undefined;
  return { db, destinations: new Destinations(db, new SecretBox(keys)), deliverer: openDeliverer(opening) };
}

/** Makes the calls, configured by the environment. */
export function openDeliverer({ config, onClose }: WebhooksOpening): Deliverer {
  const { DELIVERY_ALLOW_PRIVATE: allow = [], DELIVERY_PROXY: proxy } = config;
  const deliverer = new Deliverer({ allow, proxy });
  onClose("calls", () => deliverer.close());
  return deliverer;
}
