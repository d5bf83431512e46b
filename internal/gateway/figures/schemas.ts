import { type TSchema, Type } from "typebox";
import { anyKeyProblems, count, json, problems, ref, withKey } from "../../http/schemas.ts";

const ranked = Type.Object({
  id: Type.Integer({ description: "the player" }),
  count: Type.Integer({ description: "bets, wins, or euro cents of deposits" }),
  client_id: Type.String(),
});
const best = Type.Union([ref("RankedPlayer"), Type.Null()]);
const list = Type.Optional(Type.Array(ref("RankedPlayer"), { description: "present if `top` was given" }));

/** The components of the API's description that aggregates need. */
export const figureComponents: Readonly<Record<string, TSchema>> = {
  RankedPlayer: ranked,
  Materialized: Type.Object({
    events_total: count("final events, each once"),
    events_per_minute: Type.Number({ minimum: 0, description: "since the first event" }),
    events_per_second_moving_average: Type.Number({
      minimum: 0,
      description: "over the last `window_size` seconds",
    }),
    top_player_bets: best,
    top_player_wins: best,
    top_player_deposits: best,
    top_players_bets: list,
    top_players_wins: list,
    top_players_deposits: list,
  }),
};

const getMaterialized = {
  operationId: "getMaterialized",
  summary: "Read totals, rates and top players",
  tags: ["aggregates"],
  querystring: Type.Object({
    window_size: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_600,
        default: 60,
        description: "seconds of the moving average",
      }),
    ),
    client_id: Type.Optional(Type.String({ pattern: "^[a-z0-9-]{1,40}$", description: "only this client" })),
    top: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "how many players to list" })),
  }),
  response: {
    200: json("Materialized", "the aggregates of all final events"),
    400: problems("Problem", "a parameter is wrong"),
    503: problems("Problem", "no materializer answers; see Retry-After"),
  },
};

const behindKey = {
  ...getMaterialized,
  security: withKey,
  response: { ...getMaterialized.response, ...anyKeyProblems },
};

/** What the description says of the route, public or with a key. */
export const figureSchemas = { public: getMaterialized, keys: behindKey };
