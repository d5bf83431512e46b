import { randomBytes } from "node:crypto";
import { beforeEach } from "vitest";
import { createKey } from "../../clients/client-repository.ts";
import { Destinations } from "../../webhooks/destinations.ts";
import { delivererForTest } from "../../webhooks/receiver.fixture.ts";
import { SecretBox } from "../../webhooks/secret-box.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";
import { askerOf, gatewaysOfFile, keyFor } from "../gateway.fixture.ts";

/** A broker, a database and keys for one test file: each test starts without destinations. */
export async function webhooksForTest() {
  const { db, key, openGateway } = await gatewaysOfFile("crm");
  const otherKey = await keyFor(db, "crm", "lucky-spin");
  const operator = (await createKey(db, "operator")) ?? "";
  const box = new SecretBox([randomBytes(32)]);

  beforeEach(async () => {
    await db.deleteFrom("destinations").execute();
    await db.deleteFrom("deliveries").execute();
  });

  /** Asks a new gateway, by default one that may call this machine. */
  async function asker(given?: Webhooks | "no key") {
    const webhooks =
      given === "no key"
        ? undefined
        : (given ?? { db, destinations: new Destinations(db, box), deliverer: delivererForTest() });
    return askerOf(await openGateway({ webhooks }), key);
  }
  return { db, key, otherKey, operator, box, asker };
}
