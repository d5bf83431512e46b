#!/bin/sh
# What the container of docker-compose.yml runs: nats-server with these arguments, on streams that are where it looks.
set -eu
sh "${0%/*}/move-streams.sh" "$NATS_STORE_DIR"
exec nats-server "$@"
