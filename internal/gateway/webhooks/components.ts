import { type TSchema, Type } from "typebox";
import { clientParameter, count, nextCursor, oneOf, parameters, problem, ref } from "../../http/schemas.ts";
import { outcomes } from "../../webhooks/deliveries.ts";
import { changeSchema, settingsSchema } from "../../webhooks/settings.ts";

export const idPattern = "^[a-z0-9]{16}$";
const orNull = (schema: TSchema, description: string) => Type.Union([schema, Type.Null()], { description });
const time = (description: string) => Type.String({ format: "date-time", description });
const destination = {
  id: Type.String({ pattern: idPattern }),
  client_id: Type.String({ description: "its client" }),
  ...Type.Required(settingsSchema).properties,
  headers: Type.Record(Type.String(), Type.String(), { description: "their names; no values" }),
  disabled_at: orNull(time(""), "null while it is enabled"),
  disabled_reason: orNull(Type.String(), "why the sender disabled it"),
  failing_since: orNull(time(""), "since when all calls have failed"),
  created_at: time("when it was created"),
  updated_at: time("when it was last changed"),
};
const secret = Type.String({
  description: "`whsec_…`, with which receivers verify the signature; only this answer shows it",
});

/** The components of the API's description that webhooks need. */
export const webhookComponents: Readonly<Record<string, TSchema>> = {
  Destination: Type.Object(destination),
  NewDestination: Type.Object({ ...destination, secret }),
  DestinationSettings: parameters({ ...settingsSchema.properties, client_id: clientParameter() }),
  DestinationChange: changeSchema,
  DestinationPage: Type.Object({
    destinations: Type.Array(ref("Destination"), { description: "by id" }),
    next_cursor: nextCursor,
  }),
  NewSecret: Type.Object({
    id: Type.String({ pattern: idPattern }),
    secret,
    old_secret_expires_at: time("until when the previous secret also signs"),
  }),
  TestResult: Type.Object({
    ok: Type.Boolean({ description: "whether the receiver answered with 2xx" }),
    webhook_id: Type.String(),
    status: orNull(Type.Integer(), "the answer's status; null if there was no answer"),
    error: orNull(Type.String(), "why it failed"),
    duration_ms: count("how long it took"),
    answer: Type.Optional(
      Type.String({ description: "the start of the answer; only for the client's own keys" }),
    ),
  }),
  SendRequest: Type.Object({
    request_id: Type.String({ description: "the sender executes it within seconds" }),
  }),
  ReplayCount: Type.Object({ events: count("how many events would be sent now") }),
  Delivery: Type.Object({
    id: Type.String(),
    destination_id: Type.String(),
    client_id: Type.String(),
    source: Type.String(),
    event_id: Type.Integer(),
    event_type: Type.String(),
    webhook_id: Type.String({ description: "the call's id: the event's, or its batch's" }),
    attempt: Type.Integer({ minimum: 1 }),
    outcome: oneOf(...outcomes),
    status: orNull(Type.Integer(), "the answer's status; null if there was no answer"),
    duration_ms: count("duration of the call"),
    error: orNull(Type.String(), "why it failed"),
    answer: Type.Optional(
      orNull(Type.String(), "the start of the answer, at most 1 KiB; only for the client's own keys"),
    ),
    at: time("when the attempt was made"),
  }),
  DeliveryPage: Type.Object({
    deliveries: Type.Array(ref("Delivery"), { description: "newest first" }),
    next_cursor: nextCursor,
  }),
  SettingsProblem: Type.Object(
    {
      ...problem,
      errors: Type.Optional(
        Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
          description: "JSON pointers into the body",
        }),
      ),
    },
    { description: "RFC 9457" },
  ),
};
