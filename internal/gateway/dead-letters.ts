import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { forEachLetter } from "../dead-letters/bulk.ts";
import { readSeq } from "../dead-letters/command.ts";
import { forecast, type Oracle } from "../dead-letters/forecast.ts";
import type { Letter, LetterHead } from "../dead-letters/letter.ts";
import { discard } from "../dead-letters/removal.ts";
import { type ReplayOptions, replay, Unreplayable } from "../dead-letters/replay.ts";
import type { LetterStore } from "../dead-letters/store.ts";
import { newestLetters, survey } from "../dead-letters/survey.ts";
import type { Log } from "../log.ts";
import { Problem, unavailable } from "../problem.ts";
import { isUnavailable } from "../unavailable.ts";
import { holderOf } from "./authentication.ts";
import { BodyCut, readBody } from "./body.ts";
import { bodyOf, headBody, jsonOf, letterBody } from "./dead-letter-bodies.ts";
import { Parameters } from "./dead-letter-parameters.ts";
import { deadLetterSchemas } from "./dead-letter-schemas.ts";

export interface DeadLetterOptions {
  readonly store: LetterStore;
  readonly publish: ReplayOptions["publish"];
  readonly oracle: Oracle;
  readonly log: Log;
  /** How long a body may take, in ms. */
  readonly bodyWithinMs: number;
  /** Aborted when the process stops: replays of many end early. */
  readonly stopping: AbortSignal;
}

const defaultLimit = 100;
const mostListed = 1_000;
const mostReplayed = 10_000;
/** How long a request may read, and how long a replay of many goes on before it leaves the rest to the next request. */
const timeoutMs = 20_000;
/** Requests that read through the stream at once; each may have to read all of it. */
const mostReaders = 8;

/** Adds the routes of the dead letters: an operator's key works on all of them, a client's key on its own. */
export async function addDeadLetterRoutes(
  app: FastifyInstance,
  options: DeadLetterOptions,
  behindKey: RouteShorthandOptions,
): Promise<void> {
  const desk = new Desk(options);
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // A payload is sent on as the bytes it is.
    scope.addContentTypeParser("*", async (_request: FastifyRequest, raw: IncomingMessage) => {
      try {
        return await readBody(raw, {
          maxBytes: 2 ** 20,
          withinMs: options.bodyWithinMs,
          stopping: options.stopping,
          whenTooLarge: "no stream would take such an event",
        });
      } catch (err) {
        if (!(err instanceof BodyCut)) throw err;
        throw new Problem(400, "The body was cut before its end.", { cause: err });
      }
    });
    const on = (schema: object) => ({ ...behindKey, schema });
    scope.get("/dead-letters", on(deadLetterSchemas.list), (request) => desk.list(request));
    scope.get("/dead-letters/:seq", on(deadLetterSchemas.show), (request) => desk.show(request));
    scope.post("/dead-letters/:seq/replay", on(deadLetterSchemas.replay), (request) => desk.replay(request));
    scope.post("/dead-letters/replay", on(deadLetterSchemas.replayMany), (request) =>
      desk.replayMany(request),
    );
    scope.delete("/dead-letters/:seq", on(deadLetterSchemas.discard), (request, reply) =>
      desk.discard(request, reply),
    );
  });
}

/** The handlers of the routes. */
class Desk {
  readonly #options: DeadLetterOptions;
  #readers = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  async list(request: FastifyRequest) {
    const parameters = new Parameters(queryOf(request));
    const filter = parameters.filter(holderOf(request));
    const limit = parameters.integer("limit", mostListed) ?? defaultLimit;
    const before = parameters.integer("cursor", Number.MAX_SAFE_INTEGER);
    const wantsGroups = parameters.boolean("groups");
    parameters.check();
    const { store } = this.#options;
    return this.#reading(async (signal) => {
      const page = await newestLetters(store, filter, { limit, before, signal });
      const counted = wantsGroups ? await survey(store, filter, { limit: 1, signal }) : undefined;
      return {
        dead_letters: page.letters.map(headBody),
        next_cursor: page.before === undefined ? null : String(page.before),
        ...(counted && {
          groups: counted.groups.map(({ client, ...group }) => ({ ...group, client_id: client })),
        }),
      };
    });
  }

  async show(request: FastifyRequest) {
    new Parameters(queryOf(request)).check();
    return letterBody(await this.#find(request));
  }

  async replay(request: FastifyRequest) {
    const parameters = new Parameters(queryOf(request));
    const dryRun = parameters.boolean("dry_run");
    parameters.check();
    const edited = bodyOf(request);
    const letter = await this.#find(request);
    const { oracle } = this.#options;
    const outlook = dryRun || edited !== undefined ? await forecast(letter, oracle, edited) : undefined;
    if (dryRun) return { seq: letter.seq, ...outlook };
    if (outlook?.would === "fail")
      throw new Problem(400, `Nothing was sent, because this payload would fail: ${outlook.because}`, {
        members: { ...outlook },
      });
    try {
      return await withProblems(() => replay(letter, this.#replayOptions(request), edited));
    } catch (err) {
      if (err instanceof Unreplayable) throw new Problem(409, err.message, { cause: err });
      throw err;
    }
  }

  async replayMany(request: FastifyRequest) {
    const parameters = new Parameters({ ...queryOf(request), ...jsonOf(bodyOf(request)) });
    const filter = parameters.filter(holderOf(request));
    const limit = parameters.integer("limit", mostReplayed) ?? mostListed;
    const after = parameters.integer("cursor", Number.MAX_SAFE_INTEGER);
    const dryRun = parameters.boolean("dry_run");
    parameters.check();
    const { store, oracle } = this.#options;
    const done = { replayed: 0, already_replayed: 0, failed: [] as { seq: number; because: string }[] };
    const foretold = { pass: 0, perhaps_pass: 0, fail: 0, dead_letters: [] as object[] };
    const work = async ({ seq }: LetterHead): Promise<void> => {
      const letter = await store.read(seq);
      // Somebody else has just dealt with it.
      if (letter === undefined) return;
      if (dryRun) {
        const outlook = await forecast(letter, oracle);
        foretold[outlook.would === "perhaps pass" ? "perhaps_pass" : outlook.would]++;
        foretold.dead_letters.push({ seq, ...outlook });
        return;
      }
      try {
        const { outcome } = await replay(letter, this.#replayOptions(request));
        done[outcome === "replayed" ? "replayed" : "already_replayed"]++;
      } catch (err) {
        if (!(err instanceof Unreplayable)) throw err;
        done.failed.push({ seq, because: err.message });
      }
    };
    const most = dryRun ? Math.min(limit, mostListed) : limit;
    const { more, last } = await this.#reading(
      (signal) => forEachLetter(store, filter, work, { limit: most, after, signal }),
      () => (dryRun ? foretold : done),
    );
    // Those that cannot be sent stay: begun with the oldest again, enough of them would be all that a request ever sees.
    const next = more ? (last ?? after) : undefined;
    return { ...(dryRun ? foretold : done), more, next_cursor: next === undefined ? null : String(next) };
  }

  async discard(request: FastifyRequest, reply: FastifyReply) {
    new Parameters(queryOf(request)).check();
    const letter = await this.#find(request);
    if (!(await withProblems(() => discard(letter, this.#replayOptions(request))))) throw missing(letter.seq);
    return reply.code(204).send();
  }

  /** The letter that a path names. @throws Problem 400, 404; 403 when it is not for the holder of the key */
  async #find(request: FastifyRequest): Promise<Letter> {
    const { seq: text = "" } = request.params as { seq?: string }; // the router's type
    const seq = readSeq(text);
    if (seq === undefined)
      throw new Problem(400, "A dead letter's number is an integer from 1 on: GET /dead-letters lists them.");
    const letter = await withProblems(() => this.#options.store.read(seq));
    if (letter === undefined) throw missing(seq);
    const { client } = holderOf(request);
    if (client !== undefined && client !== letter.client)
      throw new Problem(403, "This dead letter is not of this API key's client.");
    return letter;
  }

  #replayOptions(request: FastifyRequest): ReplayOptions {
    const { store, publish, log } = this.#options;
    return { store, publish, log, by: byOf(request) };
  }

  /** Work that may have to read the whole stream; only so much of it at once. */
  async #reading<T>(work: (signal: AbortSignal) => Promise<T>, sofar: () => object = () => ({})): Promise<T> {
    if (this.#readers >= mostReaders)
      throw unavailable("Too many requests read the dead letters at the moment: try again shortly.");
    const signal = AbortSignal.any([this.#options.stopping, AbortSignal.timeout(timeoutMs)]);
    this.#readers++;
    try {
      return await withProblems(() => work(signal), sofar);
    } catch (err) {
      if (err !== signal.reason) throw err;
      throw unavailable("Reading the dead letters takes too long: narrow the filter.", { cause: err });
    } finally {
      this.#readers--;
    }
  }
}

async function withProblems<T>(work: () => Promise<T>, sofar: () => object = () => ({})): Promise<T> {
  try {
    return await work();
  } catch (err) {
    if (isUnavailable(err)) throw unavailable(err.message, { members: { ...sofar() }, cause: err });
    throw err;
  }
}

const missing = (seq: number): Problem =>
  new Problem(404, `There is no dead letter ${seq}: it was sent again, discarded, or too old.`);

const queryOf = (request: FastifyRequest) => request.query as Readonly<Record<string, unknown>>; // the parser's type

/** Who asked, for the log. */
const byOf = (request: FastifyRequest): string => `key ${holderOf(request).keyId}`;
