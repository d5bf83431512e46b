# One image for all services and commands; the arguments after its name select one:
#
#   docker build --tag croupier .
#   docker run --rm croupier cmd/enricher/main.ts --help
#
# How to pin by digest: docs/operations.md.
ARG NODE=node:26.10.0-slim
ARG DEBIAN=debian:trixie-slim

FROM ${NODE} AS node

# Node's binary, its libraries and an init. The Node image itself also contains npm and C++ headers.
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
# For base images with the certificate of a company's proxy.
ENV NODE_USE_SYSTEM_CA=1
# No production dependency has an install script. Services need no types or source maps.
RUN node /usr/local/lib/node_modules/npm/bin/npm-cli.js ci --omit=dev --ignore-scripts \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete

FROM runtime
COPY --from=dependencies /app/node_modules node_modules
COPY . .
# Each service has a container of its own, so all can use the same port.
ENV HTTP_HOST=0.0.0.0 HTTP_PORT=3000
EXPOSE 3000
# By number, so that Kubernetes can verify that it is not root.
USER 1000:1000
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--import", "./internal/service/early-stop.js"]
CMD ["--eval", "console.error('Say which service to run, for example cmd/gateway/main.ts'); process.exit(78)"]
# Liveness, not readiness: an engine that restarts unhealthy containers must not restart them because Postgres is away.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD node cmd/healthcheck/main.ts "http://127.0.0.1:$HTTP_PORT/healthz"

LABEL org.opencontainers.image.title="Croupier" \
      org.opencontainers.image.description="A real-time event pipeline for casinos on NATS JetStream" \
      org.opencontainers.image.licenses="MIT"
