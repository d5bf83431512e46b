import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

const none = ["'none'"];
const own = ["'self'"];
const sources = {
  defaultSrc: none,
  scriptSrc: own,
  styleSrc: own,
  imgSrc: [...own, "data:"],
  connectSrc: own,
  baseUri: none,
  formAction: none,
  frameAncestors: none,
};

/** Pages for browsers, all routes of this scope: they load nothing from elsewhere, run nothing inline, and cannot be framed. */
export async function securePages(scope: FastifyInstance): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: sources },
    frameguard: { action: "deny" },
    // Only the proxy in front knows whether this is HTTPS.
    strictTransportSecurity: false,
  });
}
