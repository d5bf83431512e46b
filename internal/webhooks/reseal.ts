import { asking, type Database } from "../postgres/connect.ts";
import type { SecretBox } from "./secret-box.ts";

/**
 * Encrypts again, with the first key, whatever was encrypted with an older one, so that nothing needs the older key any
 * more.
 * @returns the number of destinations
 * @throws SealError if no key decrypts a value, and then changes nothing; Unavailable
 */
export function resealDestinations(db: Database, box: SecretBox, signal?: AbortSignal): Promise<number> {
  return asking(signal, () =>
    db.transaction().execute(async (trx) => {
      const done = new Set<string>();
      const again = (sealed: string, owner: string): string => {
        done.add(owner);
        return box.seal(box.open(sealed, owner), owner);
      };
      const rows = await trx.selectFrom("destinations").select(["id", "headers"]).forUpdate().execute();
      for (const { id, headers } of rows)
        if (headers !== null && box.isOld(headers))
          await trx
            .updateTable("destinations")
            .set({ headers: again(headers, id) })
            .where("id", "=", id)
            .execute();
      const secrets = await trx.selectFrom("destination_secrets").selectAll().forUpdate().execute();
      for (const { id, destination_id: owner, secret } of secrets)
        if (box.isOld(secret))
          await trx
            .updateTable("destination_secrets")
            .set({ secret: again(secret, owner) })
            .where("id", "=", id)
            .execute();
      return done.size;
    }),
  );
}
