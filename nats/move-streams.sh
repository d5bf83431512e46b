#!/bin/sh
# Moves the streams of a nats-server that had no accounts into the account CASINO of nats.conf, with their messages and
# consumers:
#
#   sh nats/move-streams.sh <store_dir>
#
# Run it only while the server is stopped. A server without accounts keeps its streams in the account $G. A server with
# accounts does not open them, and would start empty. `npm run up` and docker-compose.yml run this before each start;
# without such streams it does nothing.
set -eu

refuse() {
  echo "nats: $1" >&2
  exit 78
}

[ $# = 1 ] || refuse "name one folder: sh nats/move-streams.sh <store_dir>"
store=$1/jetstream
from=$store/\$G/streams
to=$store/CASINO/streams

nothing() {
  # A person may have named the wrong folder; at each start of a server it is the usual case.
  [ ! -t 2 ] || echo "nats: $from holds no streams: nothing to move" >&2
  exit 0
}
[ -d "$from" ] || nothing

for stream in "$from"/*; do
  [ -e "$stream" ] || nothing
  # In a cluster the other nodes know the streams by their account, so moving files does not work.
  [ ! -d "$store/\$SYS/_js_/_meta_" ] ||
    refuse "$store belongs to a cluster. Move its streams to the account CASINO by backup and restore: see docs/operations.md, Upgrade"
  [ ! -e "$to/${stream##*/}" ] ||
    refuse "$from and $to both hold ${stream##*/}: move the one that you do not want out of $store"
done
mkdir -p "$to"
for stream in "$from"/*; do
  mv "$stream" "$to/"
  echo "nats: moved stream ${stream##*/} to the account CASINO" >&2
done
rmdir "$from" "$store/\$G" 2>/dev/null || true
