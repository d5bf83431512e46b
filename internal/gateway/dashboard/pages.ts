import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { securePages } from "../../http/pages.ts";

const web = fileURLToPath(new URL("../../../web/", import.meta.url));
const packages = new URL("../../../node_modules/", import.meta.url);

/** Modules of packages that the page loads, under the names that our own modules import. */
const vendored = {
  "preact.js": "preact/dist/preact.mjs",
  "hooks.js": "preact/hooks/dist/hooks.mjs",
  "htm.js": "htm/dist/htm.mjs",
  "uplot.js": "uplot/dist/uPlot.esm.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
} as const;

/** Serves the page: `/`, our own files below `/web/` and those of packages below `/web/vendor/`. There is no build. */
export async function addPages(app: FastifyInstance): Promise<void> {
  const files = await Promise.all(
    Object.entries(vendored).map(
      async ([name, path]) => [name, forBrowsers(await readFile(new URL(path, packages), "utf8"))] as const,
    ),
  );
  await app.register(async (pages) => {
    await securePages(pages);
    await pages.register(fastifyStatic, {
      root: web,
      prefix: "/web/",
      // Browsers revalidate each time and get 304: no release has to bust a cache.
      cacheControl: false,
      setHeaders: (reply) => void reply.header("cache-control", "no-cache"),
      schemaHide: true,
    });
    const hidden = { schema: { hide: true } };
    pages.get("/", hidden, (_request, reply) => reply.sendFile("index.html"));
    for (const [name, text] of files) {
      const type = name.endsWith(".css") ? "text/css" : "text/javascript";
      pages.get(`/web/vendor/${name}`, hidden, (_request, reply) =>
        reply.header("cache-control", "max-age=3600").type(`${type}; charset=utf-8`).send(text),
      );
    }
  });
}

/** Browsers do not resolve package names, and an import map would be an inline script, which the page's policy forbids. */
function forBrowsers(source: string): string {
  return source
    .replaceAll(/(\bfrom ?)"preact"/g, '$1"./preact.js"')
    .replace(/\n?\/\/# sourceMappingURL=.*/, "");
}
