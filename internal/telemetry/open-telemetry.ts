import { setTimeout as sleep } from "node:timers/promises";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import manifest from "../../package.json" with { type: "json" };
import { type HopTrace, isSampled, type RequestSpan, type SourceTrace } from "../messages/trace.ts";
import { newInstanceName } from "../service/instance-name.ts";
import { type Log, withoutPassword } from "../service/log.ts";
import { contextOf, destination, HopSpans, traceparentOf } from "./hop-spans.ts";

interface TracesOptions {
  readonly service: string;
  /** The collector's URL; traces go to `v1/traces` below it. */
  readonly endpoint: string;
  /** As in OTEL_TRACES_SAMPLER. */
  readonly sampler: string;
  /** The share that a ratio sampler keeps, from 0 to 1. */
  readonly share: number;
  readonly log: Log;
  /** How long spans wait to be exported together, in ms; default 1 s. */
  readonly delayMs?: number;
}

/** Maximum spans that wait for export. More are dropped, so that memory stays bounded while the collector is away. */
const mostSpans = 8_192;
const spansPerExport = 1_024;
/** Maximum links of a batch's span: all its events. */
const mostLinks = 1_024;
/** How long a stop waits for the last export, in ms. */
const farewellMs = 1_000;

/**
 * The spans of one process, exported by OTLP/HTTP in JSON. While the collector is away they are dropped, which is
 * logged once; nothing waits for it.
 */
export class Traces implements SourceTrace {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #keeps: (traceparent: string) => boolean;

  constructor({ service, endpoint, sampler, share, log, delayMs = 1_000 }: TracesOptions) {
    const url = new URL("v1/traces", endpoint.endsWith("/") ? endpoint : `${endpoint}/`).href;
    const own = samplerOf(sampler, share);
    this.#provider = new TracerProvider({
      // The standard variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override ours.
      resource: defaultResource()
        .merge(
          resourceFromAttributes({
            "service.name": `croupier-${service}`,
            "service.namespace": "croupier",
            "service.version": manifest.version,
            "service.instance.id": newInstanceName(),
          }),
        )
        .merge(detectResources({ detectors: [envDetector] })),
      sampler: own,
      spanLimits: { linkCountLimit: mostLinks },
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: watched(new OTLPTraceExporter({ url }), withoutPassword(url), log),
          maxQueueSize: mostSpans,
          maxExportBatchSize: spansPerExport,
          scheduledDelayMillis: delayMs,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer("croupier", manifest.version);
    this.#keeps = sampler.startsWith("parentbased_") ? isSampled : (traceparent) => keeps(own, traceparent);
    log.info({ collector: withoutPassword(url), sampler, share }, "traces are on");
  }

  /** The spans of a consumer's work on each event. */
  hop(consumer: string): HopTrace {
    return new HopSpans(this.#tracer, consumer, this.#keeps);
  }

  request(subject: string, traceparent: string | undefined): RequestSpan {
    const attributes = { "http.request.method": "POST", "http.route": "/events", "url.path": "/events" };
    const parent = traceparent === undefined ? ROOT_CONTEXT : contextOf(traceparent);
    const server = this.#tracer.startSpan("POST /events", { kind: SpanKind.SERVER, attributes }, parent);
    if (!server.isRecording()) return { traceparent, end: () => undefined };
    const send = this.#startSend(subject, trace.setSpan(parent, server));
    return {
      traceparent: traceparentOf(send),
      end: (status) => {
        server.setAttribute("http.response.status_code", status);
        for (const span of [send, server]) {
          if (status >= 500)
            span.setAttribute("error.type", String(status)).setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        }
      },
    };
  }

  send(subject: string): string {
    const span = this.#startSend(subject, ROOT_CONTEXT);
    span.end();
    return traceparentOf(span);
  }

  /** Exports what is left, for a limited time. Never rejects. */
  async close(): Promise<void> {
    await Promise.race([
      this.#provider.shutdown().catch(() => undefined),
      sleep(farewellMs, undefined, { ref: false }),
    ]);
  }

  #startSend(subject: string, parent: typeof ROOT_CONTEXT) {
    const attributes = {
      ...destination(subject),
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
    };
    const name = `send ${attributes["messaging.destination.template"]}`;
    return this.#tracer.startSpan(name, { kind: SpanKind.PRODUCER, attributes }, parent);
  }
}

function samplerOf(name: string, share: number): Sampler {
  const base = name.replace("parentbased_", "");
  const root =
    base === "always_on"
      ? new AlwaysOnSampler()
      : base === "always_off"
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(share);
  return base === name ? root : new ParentBasedSampler({ root });
}

/** Whether a sampler that looks at nothing but the trace's id keeps this one. */
function keeps(sampler: Sampler, traceparent: string): boolean {
  const [, traceId = ""] = traceparent.split("-");
  const { decision } = sampler.shouldSample(ROOT_CONTEXT, traceId, "", SpanKind.CONSUMER, {}, []);
  return decision !== SamplingDecision.NOT_RECORD;
}

/** An exporter that logs when it starts to fail and when it works again. */
function watched(exporter: SpanExporter, collector: string, log: Log): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const fails = result.code !== 0;
        if (fails && !isFailing)
          log.warn(
            { err: result.error, collector },
            "the collector does not accept traces: they are dropped until it does; events are not held up",
          );
        if (!fails && isFailing) log.info({ collector }, "the collector accepts traces again");
        isFailing = fails;
        done(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
