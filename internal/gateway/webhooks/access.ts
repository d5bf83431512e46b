import type { FastifyRequest } from "fastify";
import { holderOf, ownerOf } from "../../http/authentication.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { orUnavailable, Problem, unavailable } from "../../service/problem.ts";
import type { Destination } from "../../webhooks/destination.ts";
import { DestinationRefused, isDestinationId } from "../../webhooks/destinations.ts";
import { SealError } from "../../webhooks/secret-box.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";

/** How long one statement may take, in ms. */
const timeoutMs = 10_000;

/** What the routes share: access to the database, with few statements per client at once. */
export class WebhookAccess {
  readonly #webhooks: Webhooks | undefined;
  readonly #limit = new ConcurrencyLimit({ all: 4, ofOwner: 2, waiting: 64, what: "work on webhooks" });

  /** @param webhooks undefined where there is no key to encrypt secrets with */
  constructor(webhooks: Webhooks | undefined) {
    this.#webhooks = webhooks;
  }

  /** The destination that a path names. @throws Problem 400, 404 */
  async find(request: FastifyRequest): Promise<Destination> {
    const id = idOf(request);
    const found = await this.ask(request, ({ destinations }, signal) =>
      destinations.find(id, holderOf(request).client, signal),
    );
    if (found === undefined) throw missing(id);
    return found;
  }

  /** @throws Problem 503 */
  open(): Webhooks {
    if (this.#webhooks === undefined)
      throw new Problem(
        503,
        "This gateway has no DELIVERY_KEY to encrypt secrets: its operator has to set one.",
      );
    return this.#webhooks;
  }

  /** Runs one statement in one of the owner's slots. @throws Problem 409, 429, 503 */
  ask<T>(
    request: FastifyRequest,
    statement: (webhooks: Webhooks, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const webhooks = this.open();
    return this.#limit.run(ownerOf(holderOf(request)), async () => {
      try {
        return await orUnavailable("Webhooks cannot be reached at the moment: try again shortly.", () =>
          statement(webhooks, AbortSignal.timeout(timeoutMs)),
        );
      } catch (err) {
        if (err instanceof DestinationRefused) throw new Problem(409, err.message, { cause: err });
        if (err instanceof SealError)
          throw unavailable("Its secrets cannot be decrypted: the operator has to check DELIVERY_KEY.", {
            cause: err,
          });
        throw err;
      }
    });
  }
}

/** @throws Problem 400 */
export function idOf(request: FastifyRequest): string {
  const { id = "" } = request.params as { id?: string }; // the router's type
  if (isDestinationId(id)) return id;
  throw new Problem(400, "The id of a destination has 16 letters and digits: GET /destinations lists them.");
}

export const missing = (id: string): Problem =>
  new Problem(404, `There is no destination ${id} of this API key's client.`);
