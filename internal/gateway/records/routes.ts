import type { FastifyInstance } from "fastify";
import { type GameRecord, gameKind } from "../../games/game-kind.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { addComponents } from "../../http/schemas.ts";
import { type PlayerRecord, playerKind } from "../../players/player-kind.ts";
import type { ClientRecord, RecordKind, RecordStore } from "../../records/record.ts";
import { type ErasePlayer, ErasureHandler, erasureComponents, erasureSchema } from "./erase-player.ts";
import { RecordHandlers } from "./handlers.ts";
import { recordComponents, recordSchemas } from "./schemas.ts";

export interface RecordDependencies {
  readonly players: RecordStore<PlayerRecord>;
  readonly games: RecordStore<GameRecord>;
  readonly erasePlayer: ErasePlayer;
}

/** Adds the routes of players and games: a producer's key works only on the records of its client. */
export function addRecordRoutes(
  app: FastifyInstance,
  { players, games, erasePlayer }: RecordDependencies,
  context: RouteContext,
): void {
  addComponents(app, erasureComponents);
  addRoutesOf(playerKind, players, app, context, new ErasureHandler(erasePlayer, context));
  addRoutesOf(gameKind, games, app, context);
}

function addRoutesOf<T extends ClientRecord>(
  kind: RecordKind<T>,
  store: RecordStore<T>,
  app: FastifyInstance,
  context: RouteContext,
  erasure?: ErasureHandler,
): void {
  addComponents(app, recordComponents(kind));
  const schemas = recordSchemas(kind);
  const handlers = new RecordHandlers(kind, store, context);
  const { many } = kind;
  const on = (schema: object) => ({ ...context.behindKey, schema });
  app.get(`/${many}`, on(schemas.list), (request) => handlers.list(request));
  app.get(`/${many}/:id`, on(schemas.find), (request) => handlers.find(request));
  app.put(`/${many}/:id`, on(schemas.put), (request, reply) => handlers.put(request, reply));
  app.post(`/${many}`, on(schemas.post), (request, reply) => handlers.post(request, reply));
  const remove = erasure === undefined ? schemas.remove : erasureSchema(schemas.remove);
  app.delete(`/${many}/:id`, on(remove), (request, reply) =>
    erasure?.isAsked(request) ? erasure.erase(request) : handlers.remove(request, reply),
  );
}
