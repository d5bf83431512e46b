import type { ErrorObject } from "ajv";
import { type Static, Type } from "typebox";
import { EVENT_TYPE_PATTERN } from "../casino/event.ts";
import { type FieldError, fieldError, fromAjv } from "../casino/field-error.ts";
import { compileOwnSchema } from "../casino/own-schema.ts";
import { AddressRefused } from "./address-guard.ts";
import { hiddenValue, readCustomHeaders } from "./custom-headers.ts";
import { type Destination, type DestinationSettings, defaultSettings } from "./destination.ts";

const fields = {
  url: Type.String({
    minLength: 1,
    maxLength: 2_000,
    description: "the https URL to which events are posted",
  }),
  types: Type.Optional(
    Type.Unsafe<readonly string[] | null>({
      type: ["array", "null"],
      items: { type: "string", pattern: EVENT_TYPE_PATTERN },
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
      description: "the event types to send; null = all, including those registered later",
    }),
  ),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: "headers of your own, such as authorization; stored encrypted and never shown again",
    }),
  ),
  rate_limit: Type.Optional(
    Type.Unsafe<number | null>({
      type: ["integer", "null"],
      minimum: 1,
      maximum: 10_000,
      description: "maximum calls per second; null = no limit",
    }),
  ),
  ordered: Type.Optional(
    Type.Boolean({
      description: "one event at a time per player: a failing event holds up the player's later ones",
    }),
  ),
  batch: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100, description: "maximum events per call; 1 = each alone" }),
  ),
  enabled: Type.Optional(Type.Boolean({ description: "whether events are sent" })),
};

/** The settings of a new destination; absent ones have their default. */
export const settingsSchema = Type.Object(fields, { additionalProperties: false });
/** A change of settings; absent ones stay. */
export const changeSchema = Type.Object(
  { ...fields, url: Type.Optional(fields.url) },
  { additionalProperties: false, minProperties: 1 },
);

/** Settings, or at least one error. */
export type ReadSettings<T> =
  | { readonly ok: true; readonly settings: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks a URL without resolving its name. @throws AddressRefused */
type CheckUrl = (url: URL) => void;

const validateAll = compileOwnSchema(settingsSchema);
const validateChange = compileOwnSchema(changeSchema);

/** Reads the settings of a new destination; reports all mistakes together. */
export function readSettings(value: unknown, checkUrl: CheckUrl): ReadSettings<DestinationSettings> {
  if (!validateAll(value)) return { ok: false, errors: errorsOf(validateAll.errors) };
  const { url } = value;
  const { errors, settings } = readFields(value, checkUrl);
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, settings: { ...defaultSettings, ...settings, url } };
}

/** Reads a change of a destination's settings; reports all mistakes together. */
export function readChange(value: unknown, checkUrl: CheckUrl): ReadSettings<Partial<DestinationSettings>> {
  if (!validateChange(value)) return { ok: false, errors: errorsOf(validateChange.errors) };
  const { errors, settings } = readFields(value, checkUrl);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, settings };
}

function readFields(value: Static<typeof changeSchema>, checkUrl: CheckUrl) {
  const errors: FieldError[] = [];
  const { url, types, headers, rate_limit: rateLimit, ordered, batch, enabled } = value;
  if (url !== undefined) checkText(url, checkUrl, errors);
  const settings: Partial<DestinationSettings> = {
    ...(url !== undefined && { url }),
    ...(types !== undefined && { types }),
    ...(headers !== undefined && { headers: readCustomHeaders(headers, errors) }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(ordered !== undefined && { ordered }),
    ...(batch !== undefined && { batch }),
    ...(enabled !== undefined && { enabled }),
  };
  return { errors, settings };
}

function checkText(text: string, checkUrl: CheckUrl, errors: FieldError[]): void {
  const wrong = (message: string) => errors.push(fieldError("/url", message));
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol))
    return void wrong("must be a URL that starts with https://");
  // The URL parser would drop them, but the database stores the text.
  if (/[\s\p{Cc}]/u.test(text) || !text.isWellFormed()) return void wrong("must have no spaces");
  if (url.username !== "" || url.password !== "")
    return void wrong("must have no user and password: use a header for them");
  if (url.hash !== "") return void wrong("must have no # part, because no server receives it");
  try {
    checkUrl(url);
  } catch (err) {
    if (!(err instanceof AddressRefused)) throw err;
    wrong(`cannot be called. ${err.message}`);
  }
}

/** Names an unknown key, which ajv's message does not. */
function errorsOf(errors: readonly ErrorObject[] | null | undefined): readonly FieldError[] {
  return (errors ?? []).flatMap((error) => {
    if (error.keyword !== "additionalProperties") return fromAjv([error]);
    return [fieldError(`/${error.params.additionalProperty}`, "is not a setting of a destination")];
  });
}

/** A destination for its client: without secrets, and with only the names of its headers. */
export function destinationBody(destination: Destination) {
  return {
    id: destination.id,
    client_id: destination.client,
    url: destination.url,
    types: destination.types,
    headers: Object.fromEntries(Object.keys(destination.headers).map((name) => [name, hiddenValue])),
    rate_limit: destination.rateLimit,
    ordered: destination.ordered,
    batch: destination.batch,
    enabled: destination.enabled,
    disabled_at: destination.disabledAt?.toISOString() ?? null,
    disabled_reason: destination.disabledReason,
    failing_since: destination.failingSince?.toISOString() ?? null,
    created_at: destination.createdAt.toISOString(),
    updated_at: destination.updatedAt.toISOString(),
  };
}
