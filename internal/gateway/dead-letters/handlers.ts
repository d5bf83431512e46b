import type { FastifyReply, FastifyRequest } from "fastify";
import { forEachLetter } from "../../dead-letters/bulk.ts";
import { type DryRunRules, dryRunReplay } from "../../dead-letters/dry-run.ts";
import { type LetterFilter, readSeq } from "../../dead-letters/filter.ts";
import { groupBody, headBody, letterBody } from "../../dead-letters/letter-json.ts";
import { discard } from "../../dead-letters/removal.ts";
import { type ReplayOptions, replay, Unreplayable } from "../../dead-letters/replay.ts";
import type { LetterStore } from "../../dead-letters/store.ts";
import { newestLetters, survey } from "../../dead-letters/survey.ts";
import { clientFor, holderOf, ownerOf } from "../../http/authentication.ts";
import { bodyOf, jsonOf } from "../../http/buffered-body.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { wrongMethod } from "../../http/errors.ts";
import { readParameters } from "../../http/parameters.ts";
import { defaultLimit, noParameters } from "../../http/schemas.ts";
import type { Letter, LetterHead } from "../../messages/letter.ts";
import type { Log } from "../../service/log.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import { isUnavailable } from "../../service/unavailable.ts";
import { deadLetterSchemas, defaultReplayed } from "./schemas.ts";

interface DeadLetterHandlerOptions {
  readonly store: LetterStore;
  readonly publish: ReplayOptions["publish"];
  readonly rules: DryRunRules;
  readonly log: Log;
  /** Aborted when the process stops: bulk replays end early. */
  readonly stopping: AbortSignal;
}

/** How long a request may read, and how long a bulk replay runs before it leaves the rest to the next request. */
const timeoutMs = 20_000;
/** Requests that scan the stream at once, of all keys and of one client: each may have to read all of it. */
const readers = { all: 8, ofOwner: 2, what: "read the dead letters" };
// A server cuts off a client that has left 64 MB unread: the whole gateway. A letter on its way has up to 1.4 MB.
/** Letters that one of them works on at once. */
const lettersOfReader = 2;
/** Requests about single letters at once. */
const single = { all: 16, ofOwner: 8, waiting: 64, what: "read a dead letter" };

export class DeadLetterHandlers {
  readonly #options: DeadLetterHandlerOptions;
  readonly #readers = new ConcurrencyLimit(readers);
  readonly #single = new ConcurrencyLimit(single);

  constructor(options: DeadLetterHandlerOptions) {
    this.#options = options;
  }

  async list(request: FastifyRequest) {
    const parameters = readParameters(request, deadLetterSchemas.list.querystring);
    const { limit = defaultLimit, cursor, groups: wantsGroups = false } = parameters;
    const before = cursor === undefined ? undefined : Number(cursor);
    const filter = filterOf(request, parameters);
    const { store } = this.#options;
    return this.#reading(request, async (signal) => {
      const page = await newestLetters(store, filter, { limit, before, signal });
      const counted = wantsGroups ? await survey(store, filter, { limit: 1, signal }) : undefined;
      return {
        dead_letters: page.letters.map(headBody),
        next_cursor: page.before === undefined ? null : String(page.before),
        ...(counted && {
          groups: counted.groups.map(groupBody),
        }),
      };
    });
  }

  async show(request: FastifyRequest) {
    readParameters(request, noParameters);
    return letterBody(await this.#find(request));
  }

  async replay(request: FastifyRequest) {
    const { dry_run: dryRun = false } = readParameters(request, deadLetterSchemas.replay.querystring);
    const edited = bodyOf(request);
    const letter = await this.#find(request);
    const { rules } = this.#options;
    const result = dryRun || edited !== undefined ? await dryRunReplay(letter, rules, edited) : undefined;
    if (dryRun) return { seq: letter.seq, ...result };
    if (result?.would === "fail")
      throw new Problem(400, `Nothing was sent, because this payload would fail: ${result.because}`, {
        members: { ...result },
      });
    try {
      return await withProblems(() => replay(letter, this.#replayOptions(request), edited));
    } catch (err) {
      if (err instanceof Unreplayable) throw new Problem(409, err.message, { cause: err });
      throw err;
    }
  }

  async replayMany(request: FastifyRequest) {
    const { querystring } = deadLetterSchemas.replayMany;
    const parameters = readParameters(request, querystring, jsonOf(bodyOf(request)));
    const { limit = defaultReplayed, cursor, dry_run: dryRun = false } = parameters;
    const after = cursor === undefined ? undefined : Number(cursor);
    const filter = filterOf(request, parameters);
    const { store, rules } = this.#options;
    const done = { replayed: 0, already_replayed: 0, failed: [] as { seq: number; because: string }[] };
    const expected = { pass: 0, perhaps_pass: 0, fail: 0, dead_letters: [] as object[] };
    const work = async ({ seq }: LetterHead): Promise<void> => {
      const letter = await store.read(seq);
      // Somebody else has just handled it.
      if (letter === undefined) return;
      if (dryRun) {
        const result = await dryRunReplay(letter, rules);
        expected[result.would === "perhaps pass" ? "perhaps_pass" : result.would]++;
        expected.dead_letters.push({ seq, ...result });
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
    const most = dryRun ? Math.min(limit, defaultReplayed) : limit;
    const { more, last } = await this.#reading(
      request,
      (signal) =>
        forEachLetter(store, filter, work, { limit: most, concurrency: lettersOfReader, after, signal }),
      () => (dryRun ? expected : done),
    );
    // Letters that cannot be replayed stay. Starting with the oldest again, enough of them would be all that a request
    // ever sees.
    const next = more ? (last ?? after) : undefined;
    return { ...(dryRun ? expected : done), more, next_cursor: next === undefined ? null : String(next) };
  }

  async discard(request: FastifyRequest, reply: FastifyReply) {
    readParameters(request, noParameters);
    const letter = await this.#find(request);
    if (!(await withProblems(() => discard(letter, this.#replayOptions(request))))) throw missing(letter.seq);
    return reply.code(204).send();
  }

  /** The letter that a path names. @throws Problem 400, 404; 403 when it belongs to another client */
  async #find(request: FastifyRequest): Promise<Letter> {
    const { seq: text = "" } = request.params as { seq?: string }; // the router's type
    if (text === "replay") throw wrongMethod(request.method, ["POST"]); // the router takes it for a number
    const seq = readSeq(text);
    if (seq === undefined)
      throw new Problem(400, "A dead letter's number is an integer from 1 on: GET /dead-letters lists them.");
    const holder = holderOf(request);
    const letter = await this.#single.run(ownerOf(holder), () =>
      withProblems(() => this.#options.store.read(seq)),
    );
    if (letter === undefined) throw missing(seq);
    const { client } = holder;
    if (client !== undefined && client !== letter.client)
      throw new Problem(403, "This dead letter belongs to another client than this API key.");
    return letter;
  }

  #replayOptions(request: FastifyRequest): ReplayOptions {
    const { store, publish, log } = this.#options;
    return { store, publish, log, by: byOf(request) };
  }

  /** Work that may have to read the whole stream, limited in concurrency. */
  #reading<T>(
    request: FastifyRequest,
    work: (signal: AbortSignal) => Promise<T>,
    sofar: () => object = () => ({}),
  ): Promise<T> {
    return this.#readers.run(ownerOf(holderOf(request)), async () => {
      const signal = AbortSignal.any([this.#options.stopping, AbortSignal.timeout(timeoutMs)]);
      try {
        return await withProblems(() => work(signal), sofar);
      } catch (err) {
        if (err !== signal.reason) throw err;
        throw unavailable("Reading the dead letters takes too long: narrow the filter.", { cause: err });
      }
    });
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

/** The selected letters, of those that the key's holder may see. @throws Problem 403 */
function filterOf(
  request: FastifyRequest,
  { reason, step, client_id }: { reason?: string; step?: string; client_id?: string },
): LetterFilter {
  return { reason, step, client: clientFor(request, client_id) };
}

const missing = (seq: number): Problem =>
  new Problem(404, `There is no dead letter ${seq}: it was sent again, discarded, or too old.`);

/** Who asked, for the log. */
const byOf = (request: FastifyRequest): string => `key ${holderOf(request).keyId}`;
