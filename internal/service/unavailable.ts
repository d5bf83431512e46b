/**
 * Something outside is away: Postgres, the rates API, NATS. It is never the event's fault, so events wait however long it
 * lasts and none is set aside. Adapters throw it; the actor loop asks `isUnavailable`.
 */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

export function isUnavailable(err: unknown): err is Unavailable {
  return err instanceof Unavailable;
}
