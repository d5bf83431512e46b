import { jetstream } from "@nats-io/jetstream";
import { fastify } from "fastify";
import { connect } from "nats";
import { number, text } from "../load/variables.ts";

/**
 * A program: the simplest gateway. It validates an event by a schema. With MODE=publish it awaits `js.publish`, with MODE=bare
 * it only answers. It has no keys, no limits, no custom types and no list of errors.
 */
const nc = await connect({ servers: text("NATS_URL") });
const js = jetstream(nc);
const publishes = text("MODE") === "publish";

const integer = { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
const app = fastify();
app.post(
  "/events",
  {
    schema: {
      body: {
        type: "object",
        properties: {
          ...{ id: integer, player_id: integer, game_id: integer },
          type: { type: "string", enum: ["game_start", "game_stop", "bet", "deposit"] },
          amount: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
          currency: { type: "string", pattern: "^[A-Z]{3}$" },
          has_won: { type: "boolean" },
          created_at: { type: "string", format: "date-time" },
        },
        required: ["id", "player_id", "type", "created_at"],
      },
      response: { 202: { type: "object", properties: { accepted: { type: "integer" } } } },
    },
  },
  async (request, reply) => {
    if (publishes) await js.publish("FASTIFY", JSON.stringify(request.body));
    reply.code(202);
    return { accepted: 1 };
  },
);
await app.listen({ port: number("PORT"), host: "127.0.0.1" });
process.once("SIGTERM", () => process.exit(0));
