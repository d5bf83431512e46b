import {
  bytes,
  credentialsFile,
  duration,
  durationOrOff,
  durations,
  host,
  integer,
  keys,
  names,
  natsUrls,
  networks,
  oneOf,
  passwords,
  postgresUrl,
  redisUrl,
  share,
  text,
  url,
} from "./config-values.ts";
import { logLevels, withoutPassword } from "./log.ts";

/** One environment variable: its purpose, its default as text, and how its text is parsed. */
export interface Variable<T> {
  readonly doc: string;
  /** The text used when the variable is unset or empty; without it the variable is required or optional. */
  readonly default?: string;
  /** Throws an Error whose message completes the sentence "NAME must …". */
  readonly parse: (text: string) => T;
  /** How to show an invalid text that may contain a secret. */
  readonly show?: (text: string) => string;
}

/** Keeps in the type whether there is a default. */
function define<V extends Variable<unknown>>(variable: V): V {
  return variable;
}

const samplers = [
  ...(["always_on", "always_off", "traceidratio"] as const),
  ...(["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"] as const),
];

/** Every environment variable that Croupier reads. */
export const variables = {
  NATS_URL: define({
    doc: "NATS servers, comma-separated; user:password@ or token@ in the URL",
    default: "nats://127.0.0.1:4222",
    parse: natsUrls,
    show: withoutPassword,
  }),
  NATS_CREDS: define({ doc: "path of a NATS credentials file", parse: credentialsFile }),
  NATS_REPLICAS: define({ doc: "replicas of streams and buckets", default: "1", parse: integer(1, 5) }),
  DATABASE_URL: define({
    doc: "Postgres",
    default: "postgres://casino:casino@127.0.0.1:5432/casino",
    parse: postgresUrl,
    show: withoutPassword,
  }),
  DATABASE_PASSWORDS: define({
    doc: "passwords that `migrate` sets for the services' database roles, `gateway=…,enricher=…`; unset = it sets none",
    parse: passwords,
    show: () => "***",
  }),
  REDIS_URL: define({
    doc: "Redis; unset = for one machine only: no lock around the rates API, and each gateway counts rate limits alone",
    parse: redisUrl,
    show: withoutPassword,
  }),
  RATES_URL: define({
    doc: "rates API, based on EUR; the step `currency` needs it",
    parse: url(["http:", "https:"]),
    show: withoutPassword,
  }),
  RATES_API_KEY: define({ doc: "key that the rates API receives as `access_key`", parse: text }),
  HTTP_PORT: define({
    doc: "port of the service's HTTP (health and routes); 0 = any free port",
    parse: integer(0, 65_535),
  }),
  HTTP_HOST: define({ doc: "address on which HTTP listens", default: "127.0.0.1", parse: host }),
  STEPS: define({
    doc: "steps that this enricher runs; unset = all: currency,player,description",
    parse: names,
  }),
  LOG_LEVEL: define({
    doc: "lowest level that is logged",
    default: "info",
    parse: oneOf(logLevels),
  }),
  MATERIALIZER_REPLAY: define({
    doc: "`on` folds all retained events at start, `off` starts from zero",
    default: "on",
    parse: oneOf(["on", "off"]),
  }),
  EVENTS_MAX_AGE: define({
    doc: "how long CASINO_EVENTS keeps final events",
    default: "24h",
    parse: duration,
  }),
  EVENTS_MAX_BYTES: define({ doc: "maximum size of CASINO_EVENTS", default: "4GiB", parse: bytes }),
  QUEUE_MAX_BYTES: define({
    doc: "maximum size of each work queue and of CASINO_DEAD",
    default: "1GiB",
    parse: bytes,
  }),
  RATE_LIMIT: define({
    doc: "requests per second for each API key",
    default: "1000",
    parse: integer(1, 1_000_000),
  }),
  FIGURES: define({
    doc: "who may read the aggregates over HTTP: `public` = anybody, `keys` = holders of an API key",
    default: "public",
    parse: oneOf(["public", "keys"]),
  }),
  EVENT_MAX_AHEAD: define({
    doc: "how far `created_at` may lie after the event's acceptance; `off` = no limit",
    default: "24h",
    parse: durationOrOff,
  }),
  BUNDLES: define({
    doc: "`on` forwards the events in hand together in one message, `off` forwards each alone, which services from before bundles need",
    default: "on",
    parse: oneOf(["on", "off"]),
  }),
  DEAD_MAX_AGE: define({ doc: "how long CASINO_DEAD keeps dead letters", default: "30d", parse: duration }),
  DUPLICATE_WINDOW: define({
    doc: "how long CASINO_EVENTS remembers event ids; a copy of an event is dropped within this time",
    default: "5m",
    parse: duration,
  }),
  ARCHIVE_RETENTION: define({
    doc: "how long Postgres keeps final events, counted from when CASINO_EVENTS stored them; unset = forever",
    parse: duration,
  }),
  DELIVERY_KEY: define({
    doc: "key that encrypts destinations' secrets, 32 bytes in base64; of several, comma-separated, the first encrypts and all decrypt; unset = no webhooks",
    parse: keys,
    show: () => "***",
  }),
  DELIVERY_ALLOW_PRIVATE: define({
    doc: "networks besides the public internet that webhooks may reach, also without TLS: `10.0.0.0/8,fd00::/8`",
    parse: networks,
  }),
  DELIVERY_PROXY: define({
    doc: "HTTP proxy for webhooks; the proxy resolves host names",
    parse: url(["http:", "https:"]),
    show: withoutPassword,
  }),
  DELIVERY_RETRIES: define({
    doc: "pauses between delivery attempts, each varied by up to a fifth; after the last the event becomes a dead letter",
    default: "5s,5m,30m,2h,5h,10h,14h,20h,24h",
    parse: durations,
  }),
  DELIVERY_DISABLE_AFTER: define({
    doc: "a destination is disabled once all attempts have failed for this long",
    default: "5d",
    parse: duration,
  }),
  DELIVERY_RETENTION: define({
    doc: "how long Postgres keeps the results of delivery attempts, and requests to resend and replay that are done",
    default: "7d",
    parse: duration,
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: define({
    doc: "OpenTelemetry collector that receives traces by OTLP over HTTP: `http://localhost:4318`; unset = no traces",
    parse: url(["http:", "https:"]),
    show: withoutPassword,
  }),
  OTEL_TRACES_SAMPLER: define({
    doc: "which traces are kept: `always_on`, `always_off` or `traceidratio`; with the prefix `parentbased_` a producer's decision comes first",
    default: "parentbased_always_on",
    parse: oneOf(samplers),
  }),
  OTEL_TRACES_SAMPLER_ARG: define({
    doc: "share of traces that `traceidratio` keeps, 0 to 1",
    default: "1",
    parse: share,
  }),
  CROUPIER_DATA: define({
    doc: "data folder of `up`; commands look there for one that runs",
    default: ".data",
    parse: text,
  }),
} as const;

export type VariableName = keyof typeof variables;
export const variableNames = Object.keys(variables) as readonly VariableName[]; // the keys of a literal
