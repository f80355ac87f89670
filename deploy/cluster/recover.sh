#!/bin/sh
# Brings a replica back whose volume is lost:
#
#   ./recover.sh 1
#
# The volume must be empty and the other replicas must be up. Never format the replica instead.
# With six replicas: COMPOSE="docker compose -f compose.yaml -f compose.six.yaml --env-file six.env"
set -eu
cd "$(dirname "$0")"

compose=${COMPOSE:-docker compose}

# shellcheck disable=SC2086 # COMPOSE may be two words
run() { $compose "$@"; }

case ${1:-} in
[0-5]) ;;
*)
	echo "usage: ./recover.sh replica-index" >&2
	exit 2
	;;
esac
# The check comes before the stop: a replica that has its file keeps running.
run run --rm --no-deps -T --entrypoint /bin/sh "format-$1" /scripts/recover.sh --check
run stop "replica-$1"
# The replica's own service has the replica's volume and address.
run run --rm --no-deps -T --entrypoint /bin/sh "replica-$1" /scripts/recover.sh
run up -d --no-deps "replica-$1"
