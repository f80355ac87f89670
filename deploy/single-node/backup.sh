#!/bin/sh
# Backs the single node up: stops it, copies its data file, and starts it again whatever
# happened. Packets that come meanwhile are refused by the connector (T00), and what it had
# under way is recorded when the server is back.
set -eu
cd "$(dirname "$0")"

compose=${COMPOSE:-docker compose}

# shellcheck disable=SC2086 # COMPOSE may be two words
run() { $compose "$@"; }

# apart runs a command in a process group of its own, which Ctrl-C does not reach: a server
# that is half stopped would stop after it was started again.
apart() {
	set -m 2>/dev/null # without a terminal it cannot, and need not
	run "$@" &
	set +m
	wait $!
}

# again starts the server, once what stops it has come to its end, however often it is
# interrupted.
again() {
	trap '' HUP INT TERM
	wait
	apart start tigerbeetle
}

trap again EXIT
trap 'exit 1' HUP INT TERM
apart stop tigerbeetle
run run --rm --no-deps -T backup
