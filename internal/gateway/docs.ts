import { readFile } from "node:fs/promises";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { deadLetterComponents, optionalBodies } from "./dead-letter-schemas.ts";
import { components } from "./schemas.ts";

const protoFile = new URL("../../proto/event.proto", import.meta.url);

/**
 * Describes the API: `/openapi.json` (OpenAPI 3.1, made from the schemas of the routes), `/docs` to browse it without any
 * other server, `/event.proto`, and `/` as the way there. To be registered before the routes it describes.
 */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  for (const [name, schema] of Object.entries({ ...components, ...deadLetterComponents }))
    app.addSchema({ ...schema, $id: name });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Croupier",
        version,
        description: "Takes casino events, and answers for them. Errors are problem documents (RFC 9457).",
      },
      tags: [
        { name: "events", description: "send and read events" },
        { name: "dead letters", description: "what was set aside: inspect, send again, discard" },
        { name: "aggregates", description: "totals, rates and top players" },
        { name: "health", description: "for probes" },
      ],
      components: {
        securitySchemes: {
          apiKey: {
            type: "http",
            scheme: "bearer",
            description: "created with `npm run clients -- keys create`",
          },
        },
      },
    },
    // Components under their own names.
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === "string" ? json.$id : `def-${index}`,
    },
    // The plugin takes each body that has a schema for required.
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        const { operationId, requestBody } = path?.post ?? {};
        if (requestBody && "required" in requestBody && optionalBodies.includes(operationId))
          requestBody.required = false;
      }
      return document.openapiObject;
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs", uiConfig: { validatorUrl: null } });

  const hidden = { schema: { hide: true } };
  app.get("/openapi.json", hidden, () => app.swagger());
  const proto = await readFile(protoFile);
  app.get("/event.proto", hidden, (_request, reply) => reply.type("text/plain; charset=utf-8").send(proto));
  app.get("/", hidden, (_request, reply) => reply.redirect("/docs"));
}
