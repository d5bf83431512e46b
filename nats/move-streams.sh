#!/bin/sh
# Moves the streams of a nats-server that had no accounts into the account CASINO of nats.conf, with their messages and
# consumers:
#
#   sh nats/move-streams.sh <store_dir>
#
# Only while the server is stopped. Such a server kept them below $G, which one with accounts does not even open: it would
# start with nothing in it. `npm run up` and docker-compose.yml run this before each start; where there is nothing to move
# it does nothing.
set -eu

refuse() {
  echo "nats: $1" >&2
  exit 78
}

store=$1/jetstream
from=$store/\$G/streams
to=$store/CASINO/streams
[ -d "$from" ] || exit 0

for stream in "$from"/*; do
  [ -e "$stream" ] || exit 0
  # The other nodes know a cluster's streams by their account.
  [ ! -d "$store/\$SYS/_js_/_meta_" ] ||
    refuse "$store is of a cluster, whose streams are moved to the account CASINO by backup and restore: see docs/operations.md, Upgrade"
  [ ! -e "$to/${stream##*/}" ] ||
    refuse "$from and $to both hold ${stream##*/}: move the one that is not wanted out of $store"
done
mkdir -p "$to"
for stream in "$from"/*; do
  mv "$stream" "$to/"
  echo "nats: moved stream ${stream##*/} to the account CASINO" >&2
done
rmdir "$from" "$store/\$G" 2>/dev/null || true
