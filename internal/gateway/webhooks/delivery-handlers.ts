import type { FastifyReply, FastifyRequest } from "fastify";
import { parseTimestamp } from "../../casino/timestamp.ts";
import { clientFor, holderOf } from "../../http/authentication.ts";
import { bodyOf, jsonOf } from "../../http/buffered-body.ts";
import { readParameters } from "../../http/parameters.ts";
import { defaultLimit } from "../../http/schemas.ts";
import { Problem } from "../../service/problem.ts";
import { type DeliveryOutcome, findDeliveries, findDelivery } from "../../webhooks/deliveries.ts";
import { countReplayed, requestReplay, requestResend } from "../../webhooks/delivery-requests.ts";
import type { Destination } from "../../webhooks/destination.ts";
import { missing, type WebhookAccess } from "./access.ts";
import { webhookSchemas } from "./schemas.ts";

/**
 * The handlers that show deliveries and ask for more. An operator's key works on all of them, a client's key on its
 * own.
 */
export class DeliveryHandlers {
  readonly #access: WebhookAccess;

  constructor(access: WebhookAccess) {
    this.#access = access;
  }

  async list(request: FastifyRequest) {
    const parameters = readParameters(request, webhookSchemas.deliveries.querystring);
    const { destination_id: destination, outcome, source, event_id: eventId, from, to, cursor } = parameters;
    const filter = {
      client: clientFor(request, parameters.client_id),
      destination,
      outcome: outcome as DeliveryOutcome | undefined, // one of those of its schema
      source,
      eventId,
      from: from === undefined ? undefined : dateOf(from).getTime(),
      to: to === undefined ? undefined : dateOf(to).getTime(),
      limit: parameters.limit ?? defaultLimit,
      cursor,
      withAnswers: holderOf(request).client !== undefined,
    };
    return this.#access.ask(request, ({ db }, signal) => findDeliveries(db, filter, signal));
  }

  async replay(request: FastifyRequest, reply: FastifyReply) {
    const parameters = readParameters(request, webhookSchemas.replay.querystring, jsonOf(bodyOf(request)));
    const { from, to, type, only_undelivered: onlyUndelivered = false, dry_run: dryRun = false } = parameters;
    if (from === undefined)
      throw new Problem(400, "from must be given: the time since which events are sent again.");
    const filter = {
      from: dateOf(from),
      to: to === undefined ? new Date() : dateOf(to),
      types: type === undefined ? null : [type],
      onlyUndelivered,
    };
    if (filter.to <= filter.from) throw new Problem(400, "to must be later than from.");
    const destination = await this.#access.find(request);
    if (dryRun) {
      const events = await this.#access.ask(request, ({ db }, signal) =>
        countReplayed(db, destination, filter, signal),
      );
      return { events };
    }
    checkEnabled(destination);
    const id = await this.#access.ask(request, ({ db }) => requestReplay(db, destination, filter));
    reply.code(202);
    return { request_id: id };
  }

  async resend(request: FastifyRequest, reply: FastifyReply) {
    readParameters(request, webhookSchemas.resend.querystring);
    const { id = "" } = request.params as { id?: string }; // the router's type
    if (!/^[1-9]\d{0,17}$/.test(id))
      throw new Problem(400, "The id of a delivery is a number: GET /deliveries lists them.");
    const { client } = holderOf(request);
    const delivery = await this.#access.ask(request, ({ db }, signal) =>
      findDelivery(db, id, client, signal),
    );
    if (delivery === undefined)
      throw new Problem(404, `There is no delivery ${id} of this API key's client, or it is too old.`);
    const { destination_id: to, source, event_id: event } = delivery;
    const destination = await this.#access.ask(request, ({ destinations }, signal) =>
      destinations.find(to, client, signal),
    );
    if (destination === undefined) throw missing(to);
    checkEnabled(destination);
    const asked = await this.#access.ask(request, ({ db }) =>
      requestResend(db, destination, { source, id: event }),
    );
    reply.code(202);
    return { request_id: asked };
  }
}

function checkEnabled({ id, enabled }: Destination): void {
  if (!enabled) throw new Problem(409, `Destination ${id} is disabled: enable it first.`);
}

/** The schema has let the text pass. */
const dateOf = (text: string): Date => new Date(parseTimestamp(text) ?? "");
