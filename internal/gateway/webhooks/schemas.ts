import { Type } from "typebox";
import { EVENT_TYPE_PATTERN } from "../../casino/event.ts";
import {
  anyKeyProblems,
  bodyProblems,
  clientParameter,
  cursorParameter,
  dateTime,
  flag,
  json,
  limitParameter,
  noParameters,
  oneOf,
  optionalBody,
  parameters,
  problems,
  ref,
  withKey,
} from "../../http/schemas.ts";
import { outcomes } from "../../webhooks/deliveries.ts";
import { idPattern } from "./components.ts";

const common = { tags: ["webhooks"], security: withKey };
const failures = {
  ...anyKeyProblems,
  503: problems("Problem", "Postgres is away, or this gateway has no DELIVERY_KEY"),
};
const bodyFailures = bodyProblems("64 KiB");
const ofOne = {
  400: problems("Problem", "the id is invalid, or a parameter is wrong or unknown"),
  404: problems("Problem", "this client has no such destination"),
  ...failures,
};
const params = Type.Object({ id: Type.String({ pattern: idPattern }) });
const bodyOf = (name: string) => ({ content: { "application/json": { schema: ref(name) } } });

const replayParameters = parameters({
  from: Type.Optional(dateTime("when the event became final, inclusive; required")),
  to: Type.Optional(dateTime("exclusive; default: now")),
  type: Type.Optional(
    Type.String({ pattern: EVENT_TYPE_PATTERN, description: "the name of an event type, such as bet" }),
  ),
  only_undelivered: flag("skip delivered events, as far back as deliveries are kept"),
  dry_run: flag("send nothing, only count the events"),
});

const rotateParameters = parameters({
  overlap_seconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 604_800,
      default: 86_400,
      description: "how long the previous secret also signs",
    }),
  ),
});

/** What the description says of the routes. */
export const webhookSchemas = {
  list: {
    ...common,
    operationId: "listDestinations",
    summary: "List destinations",
    querystring: parameters({
      client_id: clientParameter(),
      limit: limitParameter(),
      cursor: cursorParameter(idPattern),
    }),
    response: {
      200: json("DestinationPage", "a page of destinations"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...failures,
    },
  },
  create: {
    ...common,
    operationId: "createDestination",
    summary: "Add a destination",
    description:
      "Final events of the key's client are posted to the URL from now on, signed by Standard Webhooks. Only this answer shows " +
      "the secret. With an operator's key, `client_id` names the client.",
    querystring: noParameters,
    body: bodyOf("DestinationSettings"),
    response: {
      201: json("NewDestination", "it was created"),
      400: problems("SettingsProblem", "the settings are wrong: see `errors`"),
      ...failures,
      409: problems("Problem", "the client has the maximum number of destinations"),
      ...bodyFailures,
    },
  },
  find: {
    ...common,
    operationId: "getDestination",
    summary: "Read a destination",
    params,
    querystring: noParameters,
    response: { 200: json("Destination", "the destination"), ...ofOne },
  },
  change: {
    ...common,
    operationId: "changeDestination",
    summary: "Change a destination",
    description:
      "Settings that the body lacks stay. A destination that is enabled again also gets what it missed.",
    params,
    querystring: noParameters,
    body: bodyOf("DestinationChange"),
    response: {
      200: json("Destination", "the changed destination"),
      ...ofOne,
      400: problems("SettingsProblem", "the id is invalid, or the settings are wrong: see `errors`"),
      ...bodyFailures,
    },
  },
  remove: {
    ...common,
    operationId: "deleteDestination",
    summary: "Remove a destination, with all events that wait for it",
    params,
    querystring: noParameters,
    response: { 204: Type.Null({ description: "it was removed" }), ...ofOne },
  },
  rotate: {
    ...common,
    ...optionalBody,
    operationId: "rotateDestinationSecret",
    summary: "Give a destination a new secret",
    description:
      "Until the overlap ends, each call is signed with both secrets, so that the receiver can switch at any time.",
    params,
    querystring: rotateParameters,
    body: { content: { "application/json": { schema: rotateParameters } } },
    response: { 200: json("NewSecret", "the new secret, shown only once"), ...ofOne, ...bodyFailures },
  },
  test: {
    ...common,
    operationId: "testDestination",
    summary: "Send a test event now",
    description: "An event of the type `croupier.test`, signed like all others. The answer has the result.",
    params,
    querystring: noParameters,
    response: { 200: json("TestResult", "the result"), ...ofOne },
  },
  replay: {
    ...common,
    ...optionalBody,
    operationId: "replayToDestination",
    summary: "Send archived events again",
    description:
      "Events keep their `webhook-id`, so that the receiver can detect duplicates. Parameters are in the query or in the body.",
    params,
    querystring: replayParameters,
    body: { content: { "application/json": { schema: replayParameters } } },
    response: {
      200: json("ReplayCount", "in a dry run: the number of events"),
      202: json("SendRequest", "the request is recorded"),
      ...ofOne,
      409: problems("Problem", "the destination is disabled"),
      ...bodyFailures,
    },
  },
  deliveries: {
    ...common,
    operationId: "listDeliveries",
    summary: "List delivery attempts",
    description: "One for each event of each attempt, newest first.",
    querystring: parameters({
      client_id: clientParameter(),
      destination_id: Type.Optional(
        Type.String({ pattern: idPattern, description: "the id of a destination" }),
      ),
      outcome: Type.Optional(oneOf(...outcomes)),
      source: Type.Optional(
        Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$", description: "the name of a source" }),
      ),
      event_id: Type.Optional(
        Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "the event's id" }),
      ),
      from: Type.Optional(dateTime("time of the attempt, inclusive")),
      to: Type.Optional(dateTime("time of the attempt, exclusive")),
      limit: limitParameter(),
      cursor: cursorParameter("^[1-9][0-9]{0,14}\\.[1-9][0-9]{0,17}$"),
    }),
    response: {
      200: json("DeliveryPage", "a page of deliveries"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...failures,
    },
  },
  resend: {
    ...common,
    operationId: "resendDelivery",
    summary: "Send the event of a delivery again",
    params: Type.Object({ id: Type.String({ pattern: "^[1-9][0-9]{0,17}$" }) }),
    querystring: noParameters,
    response: {
      202: json("SendRequest", "the request is recorded"),
      ...ofOne,
      404: problems("Problem", "this client has no such delivery, or its destination was removed"),
      409: problems("Problem", "the destination is disabled"),
    },
  },
} as const;
