/**
 * Something outside is away: Postgres, the rates API, NATS. It is never the event's fault, so events wait however long it
 * lasts and none is set aside. Adapters throw it; the actor loop asks `isUnavailable`.
 */
export class Unavailable extends Error {
  override readonly name: string = "Unavailable";
}

/**
 * A server answers, and does not let us in or cannot do what we need. Events wait for it as for one that is away, since
 * passwords are changed while services run. What only begins ends: the same again will not work (exit code 78).
 */
export class Refused extends Unavailable {
  override readonly name = "Refused";
}

export function isUnavailable(err: unknown): err is Unavailable {
  return err instanceof Unavailable;
}
