#!/bin/sh
# Backs the single node up: stops it, copies its data file, and starts it again whatever
# happened. Packets that come meanwhile are refused by the connector (T00), and what it had
# under way is recorded when the server is back.
set -eu
cd "$(dirname "$0")"

compose=${COMPOSE:-docker compose}

# shellcheck disable=SC2086 # COMPOSE may be two words
run() { $compose "$@"; }

trap 'run start tigerbeetle' EXIT
trap 'exit 1' HUP INT TERM
run stop tigerbeetle
run run --rm --no-deps -T backup
