import type { FastifyReply, FastifyRequest } from "fastify";
import { clientFor, holderOf, ownerOf } from "../../http/authentication.ts";
import { bodyOf, jsonOf } from "../../http/buffered-body.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { readParameters } from "../../http/parameters.ts";
import { defaultLimit } from "../../http/schemas.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import { destinationBody, readChange, readSettings } from "../../webhooks/settings.ts";
import { deliverTest } from "../../webhooks/test-event.ts";
import { idOf, missing, type WebhookAccess } from "./access.ts";
import { webhookSchemas } from "./schemas.ts";

/**
 * The handlers of the routes of destinations. An operator's key works on all destinations, a client's key on its own.
 */
export class DestinationHandlers {
  readonly #access: WebhookAccess;
  readonly #stopping: AbortSignal;
  // A receiver takes up to 15 s for its answer.
  readonly #tests = new ConcurrencyLimit({ all: 16, ofOwner: 2, what: "test destinations" });

  constructor(access: WebhookAccess, stopping: AbortSignal) {
    this.#access = access;
    this.#stopping = stopping;
  }

  async list(request: FastifyRequest) {
    const parameters = readParameters(request, webhookSchemas.list.querystring);
    const { limit = defaultLimit, cursor: after } = parameters;
    const client = clientFor(request, parameters.client_id);
    const found = await this.#access.ask(request, ({ destinations }, signal) =>
      // One more than a page, to know whether there is another.
      destinations.list(client, { after, limit: limit + 1 }, signal),
    );
    const shown = found.slice(0, limit);
    return {
      destinations: shown.map(destinationBody),
      next_cursor: found.length > limit ? (shown.at(-1)?.id ?? null) : null,
    };
  }

  async create(request: FastifyRequest, reply: FastifyReply) {
    readParameters(request, webhookSchemas.create.querystring);
    const { client_id: given, ...body } = jsonOf(bodyOf(request));
    if (given !== undefined && typeof given !== "string")
      throw new Problem(400, "client_id must be the name of a client.");
    const client = clientFor(request, given);
    if (client === undefined)
      throw new Problem(
        400,
        "An operator's key belongs to no client: name the destination's client in client_id.",
      );
    const { deliverer } = this.#access.open();
    const read = readSettings(body, (url) => deliverer.checkUrl(url));
    if (!read.ok)
      throw new Problem(400, "The body is not a valid destination.", { members: { errors: read.errors } });
    const made = await this.#access.ask(request, ({ destinations }, signal) =>
      destinations.create(client, read.settings, signal),
    );
    reply.code(201);
    return { ...destinationBody(made), secret: made.secrets[0] };
  }

  async find(request: FastifyRequest) {
    readParameters(request, webhookSchemas.find.querystring);
    return destinationBody(await this.#access.find(request));
  }

  async change(request: FastifyRequest) {
    readParameters(request, webhookSchemas.change.querystring);
    const { deliverer } = this.#access.open();
    const read = readChange(jsonOf(bodyOf(request)), (url) => deliverer.checkUrl(url));
    if (!read.ok)
      throw new Problem(400, "The body is not a valid change of a destination.", {
        members: { errors: read.errors },
      });
    const id = idOf(request);
    const changed = await this.#access.ask(request, ({ destinations }, signal) =>
      destinations.update(id, holderOf(request).client, read.settings, signal),
    );
    if (changed === undefined) throw missing(id);
    return destinationBody(changed);
  }

  async remove(request: FastifyRequest, reply: FastifyReply) {
    readParameters(request, webhookSchemas.remove.querystring);
    const id = idOf(request);
    const gone = await this.#access.ask(request, ({ destinations }, signal) =>
      destinations.remove(id, holderOf(request).client, signal),
    );
    if (!gone) throw missing(id);
    return reply.code(204).send();
  }

  async rotate(request: FastifyRequest) {
    const { overlap_seconds: overlap = 86_400 } = readParameters(
      request,
      webhookSchemas.rotate.querystring,
      jsonOf(bodyOf(request)),
    );
    const id = idOf(request);
    const secret = await this.#access.ask(request, ({ destinations }, signal) =>
      destinations.rotate(id, holderOf(request).client, overlap * 1_000, signal),
    );
    if (secret === undefined) throw missing(id);
    return { id, secret, old_secret_expires_at: new Date(Date.now() + overlap * 1_000).toISOString() };
  }

  async test(request: FastifyRequest) {
    readParameters(request, webhookSchemas.test.querystring);
    const destination = await this.#access.find(request);
    const { deliverer } = this.#access.open();
    const holder = holderOf(request);
    const result = await this.#tests.run(ownerOf(holder), async () => {
      try {
        return await deliverTest(deliverer, destination, this.#stopping);
      } catch (err) {
        if (!this.#stopping.aborted) throw err;
        throw unavailable("The gateway stops: try again shortly.", { cause: err });
      }
    });
    return {
      ok: result.ok,
      webhook_id: result.webhookId,
      status: result.status ?? null,
      error: result.error ?? null,
      duration_ms: result.durationMs,
      // A receiver's answer is shown only to its own client.
      ...(holder.client !== undefined && { answer: result.answer }),
    };
  }
}
