import { readFile } from "node:fs/promises";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { securePages } from "../http/pages.ts";
import { optionalBodyMark } from "../http/schemas.ts";

const protoFile = new URL("../../proto/event.proto", import.meta.url);
const iconFile = new URL("../../web/icon.svg", import.meta.url);

/**
 * Describes the API: `/openapi.json` (OpenAPI 3.1, made from the routes' schemas), `/docs` to browse it without any
 * other server, and `/event.proto`. Register it before the routes it describes.
 */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Croupier",
        version,
        description:
          "Accepts casino events and answers questions about them. Errors are problem documents (RFC 9457).",
      },
      tags: [
        { name: "events", description: "send and read events" },
        { name: "players", description: "the players of the key's client" },
        { name: "games", description: "the games of the key's client" },
        { name: "dead letters", description: "inspect, replay and discard dead letters" },
        { name: "webhooks", description: "destinations of signed webhooks, and delivery attempts" },
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
    // Keeps the components' own names.
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json.$id === "string" ? json.$id : `def-${index}`,
    },
    // The plugin marks every body with a schema as required.
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        const post = path?.post;
        if (post === undefined || !(optionalBodyMark in post)) continue;
        delete post[optionalBodyMark];
        if (post.requestBody && "required" in post.requestBody) post.requestBody.required = false;
      }
      return document.openapiObject;
    },
  });
  await app.register(async (pages) => {
    await securePages(pages);
    const icon = { type: "image/svg+xml", content: await readFile(iconFile) };
    await pages.register(swaggerUi, {
      routePrefix: "/docs",
      uiConfig: { validatorUrl: null, tryItOutEnabled: true, persistAuthorization: false },
      theme: {
        title: "Croupier's API",
        favicon: [{ filename: "icon.svg", rel: "icon", sizes: "any", ...icon }],
      },
      logo: { ...icon, href: "/" },
    });
  });

  const hidden = { schema: { hide: true } };
  app.get("/openapi.json", hidden, () => app.swagger());
  const proto = await readFile(protoFile);
  app.get("/event.proto", hidden, (_request, reply) => reply.type("text/plain; charset=utf-8").send(proto));
}
