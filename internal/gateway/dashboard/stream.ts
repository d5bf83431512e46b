import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { EVENT_TYPE_PATTERN } from "../../casino/event.ts";
import { onAnswerEnd } from "../../http/answer-end.ts";
import { admit, clientFor, holderOf, type Keys, ownerOf } from "../../http/authentication.ts";
import { readParameters } from "../../http/parameters.ts";
import { clientParameter, parameters } from "../../http/schemas.ts";
import { Problem } from "../../service/problem.ts";
import type { Live } from "./live.ts";
import type { Tails } from "./tails.ts";
import { serverSent, type Viewer } from "./viewers.ts";

/** How often the session is checked again. */
const admitEveryMs = 10_000;
/** Bytes that may wait for a slow viewer; it misses frames beyond that. */
const mostUnread = 256 * 1024;
/** How long a viewer may read nothing at all. */
const stalledMs = 30_000;

const queryForm = parameters({
  tail: Type.Optional(Type.Boolean({ description: "also final events as they pass" })),
  client_id: clientParameter(),
  type: Type.Optional(Type.String({ pattern: EVENT_TYPE_PATTERN, description: "an event type" })),
});

interface StreamOptions {
  readonly keys: Keys;
  readonly live: Live;
  readonly tails: Tails;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
}

/**
 * The handler of `GET /dashboard/stream`: server-sent events named `history` (once), `frame` (each second) and `tail`,
 * until either side closes. A client's key sees only its own.
 */
export function streamTo({ keys, live, tails, stopping }: StreamOptions) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { tail = false, client_id, type } = readParameters(request, queryForm);
    const holder = holderOf(request);
    const wanted = { client: clientFor(request, client_id), type };
    const { raw } = reply;
    const { socket } = request.raw;
    // The viewer left while its key was looked up: no event would tell of it any more.
    if (socket.destroyed) return void reply.hijack();
    let readAt = performance.now();
    const viewer: Viewer = {
      client: holder.client,
      send: (event) => {
        // A write after `end` is an error that nobody handles, and a viewer that reads nothing has not ended yet.
        if (!raw.writableEnded && raw.writableLength < mostUnread) {
          readAt = performance.now();
          raw.write(event);
        } else if (performance.now() - readAt > stalledMs) socket.destroy();
      },
    };
    live.viewers.add(viewer, ownerOf(holder));
    let unfollow: (() => void) | undefined;
    try {
      unfollow = tail ? tails.follow(wanted, viewer.send) : undefined;
    } catch (err) {
      live.viewers.remove(viewer);
      throw err;
    }
    reply.hijack();
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>), // set by earlier hooks: request id, nosniff
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // Keeps proxies from buffering.
      "x-accel-buffering": "no",
    });
    const end = (): void => void raw.end();
    const checking = setInterval(() => void check(), admitEveryMs);
    if (stopping.aborted) end();
    stopping.addEventListener("abort", end, { once: true });
    onAnswerEnd(request, reply, () => {
      clearInterval(checking);
      stopping.removeEventListener("abort", end);
      live.viewers.remove(viewer);
      unfollow?.();
    });
    live.welcome(viewer);

    async function check(): Promise<void> {
      try {
        await admit(keys, request);
      } catch (err) {
        if (!(err instanceof Problem) || err.status >= 500) return;
        viewer.send(serverSent("ended", JSON.stringify({ detail: err.message })));
        end();
      }
    }
  };
}
