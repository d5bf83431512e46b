#!/bin/sh
# Entry point of the NATS container: moves streams into the account CASINO if necessary, then runs nats-server.
set -eu
sh "${0%/*}/move-streams.sh" "$NATS_STORE_DIR"
exec nats-server "$@"
