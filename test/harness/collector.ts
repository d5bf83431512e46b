import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll } from "vitest";

/** A span as a collector gets it, with what a test asks about. */
export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  /** As OTLP numbers them: 2 server, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty where there is none. */
  readonly parent: string;
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** OTLP/HTTP in JSON, as far as it is looked at. */
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<CollectedSpan, "service" | "parent" | "links" | "attributes"> & {
        readonly parentSpanId?: string;
        readonly attributes: readonly Attribute[];
        readonly links?: readonly { readonly spanId: string }[];
      })[];
    }[];
  }[];
}

const valuesOf = (attributes: readonly Attribute[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** A collector of OpenTelemetry; closed after the file's last test. */
export async function collectorForTest(): Promise<{
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
}> {
  const spans: CollectedSpan[] = [];
  const server = createServer(async (request, response) => {
    if (request.url !== "/v1/traces") return response.writeHead(404).end();
    const { resourceSpans } = (await json(request)) as Export; // what the library sends
    for (const { resource, scopeSpans } of resourceSpans)
      for (const span of scopeSpans.flatMap((scope) => scope.spans))
        spans.push({
          ...span,
          service: String(valuesOf(resource.attributes)["service.name"]),
          parent: span.parentSpanId ?? "",
          links: (span.links ?? []).map(({ spanId }) => spanId),
          attributes: valuesOf(span.attributes),
        });
    return response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo; // it listens on a port
  return { url: `http://127.0.0.1:${port}`, spans };
}
