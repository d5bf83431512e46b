import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { producerOf } from "../../http/authentication.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { readParameters } from "../../http/parameters.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { count, flag, json, parameters, problems } from "../../http/schemas.ts";
import { readId } from "../../records/record.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import { isUnavailable } from "../../service/unavailable.ts";

/**
 * Deletes a player's personal data everywhere and reports what was done. Repeating it continues an interrupted run.
 * @param by who requested it
 * @throws Unavailable
 */
export type ErasePlayer = (client: string, id: number, by: string, signal: AbortSignal) => Promise<object>;

/** How long a request may take, in ms; the next one continues. */
const timeoutMs = 30_000;

const querystring = parameters({
  erase: flag(
    "also erase e-mail and last sign-in from the archive and the dead letters, for good; answers 200 with what was done, even if the player no longer exists",
  ),
});

const counts = Type.Record(Type.String(), count("by place"));

/** The component of the API's description. */
export const erasureComponents = {
  Erasure: Type.Object({
    client_id: Type.String(),
    player_id: Type.Integer(),
    erased_at: Type.String({ format: "date-time" }),
    requested_by: Type.String(),
    done: Type.Unsafe({ ...counts, description: "how much was erased now, by place" }),
    counts: Type.Unsafe({
      ...counts,
      description: "how much was erased by all requests together",
    }),
    remains: Type.Array(
      Type.Object({
        stream: Type.String(),
        messages: count("all messages, of all players"),
        until: Type.Union([Type.String({ format: "date-time" }), Type.Null()], {
          description: "null = until the steps have handled them",
        }),
      }),
      { description: "streams in which earlier events still contain the e-mail" },
    ),
  }),
};

/** What the description says of the route, beyond what all kinds of records share. */
export const erasureSchema = <R extends { readonly response: object; readonly summary: string }>(
  remove: R,
) => ({
  ...remove,
  summary: "Delete or erase a player",
  querystring,
  response: {
    200: json("Erasure", "with `erase=true`: what was done and what remains"),
    ...remove.response,
    503: problems(
      "Problem",
      "Postgres or NATS is away, or it is not finished: repeat the request; see Retry-After",
    ),
  },
});

/** The handler of `DELETE /players/:id?erase=true`. */
export class ErasureHandler {
  readonly #erase: ErasePlayer;
  readonly #stopping: AbortSignal;
  readonly #limit = new ConcurrencyLimit({ all: 2, ofOwner: 1, what: "erase players" });

  constructor(erase: ErasePlayer, { stopping }: RouteContext) {
    this.#erase = erase;
    this.#stopping = stopping;
  }

  /** Whether a request asks for erasure. @throws Problem 400 */
  isAsked(request: FastifyRequest): boolean {
    return readParameters(request, querystring).erase ?? false;
  }

  /** @throws Problem */
  async erase(request: FastifyRequest): Promise<object> {
    const { client, keyId } = producerOf(request, "players");
    const id = readId((request.params as { id?: string }).id ?? ""); // the router's type
    if (id === undefined) throw new Problem(400, "The id of a player is an integer from 1 to 2^53-1.");
    const signal = AbortSignal.any([this.#stopping, AbortSignal.timeout(timeoutMs)]);
    return this.#limit.run(client, async () => {
      try {
        return await this.#erase(client, id, `key ${keyId}`, signal);
      } catch (cause) {
        if (!isUnavailable(cause) && !signal.aborted) throw cause;
        throw unavailable("The player is not erased everywhere yet: repeat the request, and it continues.", {
          cause,
        });
      }
    });
  }
}
