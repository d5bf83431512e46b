#!/bin/sh
# Stops docker-compose.yml from publishing the gateway and NATS to other machines with a password from .env.example, or
# with anonymous NATS connections that may do more than read.
set -eu

case ${LISTEN_ADDRESS:-127.0.0.1} in
  127.* | localhost | ::1 | '[::1]') exit 0 ;;
esac

needed=
while read -r name preset; do
  eval "value=\${$name-}"
  # The values for nats.conf are in double quotes.
  value=${value#\"}
  value=${value%\"}
  case $value in
    '' | "$preset") needed="$needed $name" ;;
  esac
done <<END
NATS_GATEWAY_PASSWORD gateway
NATS_ENRICHER_PASSWORD enricher
NATS_MATERIALIZER_PASSWORD materializer
NATS_LOGGER_PASSWORD logger
NATS_ARCHIVER_PASSWORD archiver
NATS_SENDER_PASSWORD sender
NATS_GENERATOR_PASSWORD generator
NATS_OPERATOR_PASSWORD operator
NATS_INSPECTOR_PASSWORD inspector
NATS_PRODUCER_CASINO_PASSWORD producer-casino
POSTGRES_PASSWORD casino
POSTGRES_ENRICHER_PASSWORD enricher
POSTGRES_GATEWAY_PASSWORD gateway
POSTGRES_ARCHIVER_PASSWORD archiver
POSTGRES_GENERATOR_PASSWORD generator
POSTGRES_SENDER_PASSWORD sender
POSTGRES_OPERATOR_PASSWORD operator
REDIS_PASSWORD casino
DELIVERY_KEY c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLTEyMzQ=
END

code=0
published="guard: LISTEN_ADDRESS=$LISTEN_ADDRESS lets other machines reach the gateway and NATS"
if [ -n "$needed" ]; then
  echo "$published, so set passwords of your own (.env.example begins with the command that makes them all):$needed" >&2
  code=78
fi
case ${NATS_ANONYMOUS-} in
  '' | '""') ;;
  inspector | '"inspector"')
    echo "$published: anonymous NATS connections can read all events, including e-mail addresses; set NATS_ANONYMOUS= (empty) to refuse them" >&2
    ;;
  *)
    echo "$published, so set NATS_ANONYMOUS= (empty): anonymous NATS connections would be the user $NATS_ANONYMOUS" >&2
    code=78
    ;;
esac
exit $code
