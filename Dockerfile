# One image for all services and commands; what is said after its name picks one:
#
#   docker build --tag croupier .
#   docker run --rm croupier cmd/enricher/main.ts --help
#
# How to pin by digest: docs/operations.md.
ARG NODE=node:26.10.0-slim
ARG DEBIAN=debian:trixie-slim

FROM ${NODE} AS node

# Not the Node image itself, which also holds npm and C++ headers: only its binary, what that links to, and an init.
FROM ${DEBIAN} AS runtime
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libatomic1 libstdc++6 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && useradd --uid 1000 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin node
COPY --from=node /usr/local/bin/node /usr/local/bin/node
WORKDIR /app

FROM runtime AS dependencies
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
COPY package.json package-lock.json .npmrc ./
# A base image may bring the certificate of a company's proxy.
ENV NODE_USE_SYSTEM_CA=1
# No install scripts: no production dependency has one. Types and source maps are of no use to a service.
RUN node /usr/local/lib/node_modules/npm/bin/npm-cli.js ci --omit=dev --ignore-scripts \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete

FROM runtime
COPY --from=dependencies /app/node_modules node_modules
COPY . .
# In a container of its own each service has all addresses, and the same port.
ENV HTTP_HOST=0.0.0.0 HTTP_PORT=3000
EXPOSE 3000
# By number, so that Kubernetes sees that it is not root.
USER 1000:1000
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--import", "./internal/service/early-stop.js"]
CMD ["--eval", "console.error('Say which service to run, for example cmd/gateway/main.ts'); process.exit(78)"]
# Alive, not ready: an engine that restarts what is unhealthy must not do so because Postgres is away.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD node cmd/healthcheck/main.ts "http://127.0.0.1:$HTTP_PORT/healthz"

LABEL org.opencontainers.image.title="Croupier" \
      org.opencontainers.image.description="A real-time event pipeline for casinos on NATS JetStream" \
      org.opencontainers.image.licenses="MIT"
