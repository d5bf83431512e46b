import type { FastifyReply, FastifyRequest } from "fastify";
import type { Counts } from "../../http/answer-counts.ts";
import { producerOf } from "../../http/authentication.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { mediaTypeOf } from "../../http/media-type.ts";
import { submitBody } from "../../http/ndjson.ts";
import { readParameters } from "../../http/parameters.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { defaultLimit } from "../../http/schemas.ts";
import { parseJson, readWholeBody } from "../../http/whole-body.ts";
import { ndjsonType } from "../../messages/bundle.ts";
import { type ClientRecord, type RecordKind, type RecordStore, readId } from "../../records/record.ts";
import { isObject } from "../../service/json.ts";
import { orUnavailable, Problem } from "../../service/problem.ts";
import { recordSchemas } from "./schemas.ts";
import { RecordUpload } from "./upload.ts";

/** How long one statement may take, in ms. */
const timeoutMs = 10_000;
const mostRecords = 1_000;
const maxLineBytes = 64 * 1024;
const jsonType = "application/json";

export class RecordHandlers<T extends ClientRecord> {
  readonly #kind: RecordKind<T>;
  readonly #store: RecordStore<T>;
  readonly #context: RouteContext;
  readonly #limit: ConcurrencyLimit;

  constructor(kind: RecordKind<T>, store: RecordStore<T>, context: RouteContext) {
    this.#kind = kind;
    this.#store = store;
    this.#context = context;
    this.#limit = new ConcurrencyLimit({ all: 4, ofOwner: 2, waiting: 256, what: `work on ${kind.many}` });
  }

  async list(request: FastifyRequest) {
    const client = this.#clientOf(request);
    const kind = this.#kind;
    const { querystring } = recordSchemas(kind).list;
    const { limit = defaultLimit, cursor = "0" } = readParameters(request, querystring);
    const found = await this.#ask(client, (store, signal) =>
      // One more than a page, to know whether there is another.
      store.list(client, Number(cursor), limit + 1, signal),
    );
    const shown = found.slice(0, limit);
    const last = found.length > limit ? shown.at(-1) : undefined;
    return { [kind.many]: shown, next_cursor: last === undefined ? null : String(last.id) };
  }

  async find(request: FastifyRequest): Promise<T> {
    const client = this.#clientOf(request);
    const id = this.#idOf(request);
    const record = await this.#ask(client, (store, signal) => store.find(client, id, signal));
    if (record === undefined) throw this.#missing(id);
    return record;
  }

  async put(request: FastifyRequest, reply: FastifyReply): Promise<T> {
    const client = this.#clientOf(request);
    const id = this.#idOf(request);
    mediaTypeOf(request, [jsonType]);
    using counted = this.#context.bodies.open(client, request.ip);
    const body = await readWholeBody(request, counted, this.#context, this.#whenTooLarge);
    const value = parseJson(body);
    const kind = this.#kind;
    const result = kind.read(isObject(value) ? { id, ...value } : value);
    if (!result.ok)
      throw new Problem(400, `The body is not a valid ${kind.one}.`, { members: { errors: result.errors } });
    if (result.record.id !== id)
      throw new Problem(400, `The id in the body differs from the id ${id} in the path.`);
    const added = await this.#ask(client, (store, signal) => store.put(client, [result.record], signal));
    reply.code(added === 1 ? 201 : 200);
    return result.record;
  }

  async post(request: FastifyRequest, reply: FastifyReply): Promise<Counts> {
    const client = this.#clientOf(request);
    const mediaType = mediaTypeOf(request, [jsonType, ndjsonType]);
    const kind = this.#kind;
    using counted = this.#context.bodies.open(client, request.ip);
    const upload = new RecordUpload({
      read: kind.read,
      put: (records: readonly T[]) =>
        this.#ask(client, (store, signal) => store.put(client, records, signal)),
      maxLineBytes,
    });
    const unread = await submitBody(request, this.#context, {
      ...{ submission: upload, counted, client, isLines: mediaType === ndjsonType, maxLineBytes },
      whenTooLarge: this.#whenTooLarge,
      submitWhole: async (body) => {
        const value = parseJson(body);
        const records: readonly unknown[] = Array.isArray(value) ? value : [value];
        if (records.length > mostRecords)
          throw new Problem(413, `The body holds more than ${mostRecords} ${kind.many}: send NDJSON.`);
        for (const [index, record] of records.entries()) {
          if (!upload.hasRoom) await upload.room();
          upload.add(index, record);
        }
      },
    });
    await upload.decided();
    const { failure, counted: counts } = upload;
    if (failure !== undefined && !(failure instanceof Problem)) throw failure;
    return counts.conclude(reply, failure ?? unread, { one: kind.one, status: 200 });
  }

  async remove(request: FastifyRequest, reply: FastifyReply) {
    const client = this.#clientOf(request);
    const id = this.#idOf(request);
    if (!(await this.#ask(client, (store, signal) => store.remove(client, id, signal))))
      throw this.#missing(id);
    return reply.code(204).send();
  }

  /** @throws Problem 403 for an operator's key */
  #clientOf(request: FastifyRequest): string {
    return producerOf(request, this.#kind.many).client;
  }

  #idOf(request: FastifyRequest): number {
    const { id: text = "" } = request.params as { id?: string }; // the router's type
    const id = readId(text);
    if (id === undefined)
      throw new Problem(400, `The id of a ${this.#kind.one} is an integer from 1 to 2^53-1.`);
    return id;
  }

  #missing(id: number): Problem {
    return new Problem(404, `This API key's client has no ${this.#kind.one} ${id}.`);
  }

  get #whenTooLarge(): string {
    return `send fewer ${this.#kind.many} at a time, or NDJSON`;
  }

  /** Runs one statement in one of the client's slots. @throws Problem 429, 503 */
  #ask<R>(client: string, statement: (store: RecordStore<T>, signal: AbortSignal) => Promise<R>): Promise<R> {
    const kind = this.#kind;
    return this.#limit.run(client, () =>
      orUnavailable(`The ${kind.many} cannot be reached at the moment: try again shortly.`, () =>
        statement(this.#store, AbortSignal.timeout(timeoutMs)),
      ),
    );
  }
}
