#!/bin/sh
# Backs up the single node: stops the server, copies the data file, and starts the server
# again, also after a failure. Meanwhile the connector refuses new packets (T00). Operations
# under way are recorded when the server is back.
set -eu
cd "$(dirname "$0")"

compose=${COMPOSE:-docker compose}

# shellcheck disable=SC2086 # COMPOSE may be two words
run() { $compose "$@"; }

# apart runs a command in a process group of its own, out of reach of Ctrl-C: an interrupted
# stop could end after the new start, and leave the server stopped.
apart() {
	set -m 2>/dev/null # fails without a terminal, where there is no Ctrl-C
	run "$@" &
	set +m
	wait $!
}

# again waits for the command that stops the server, and starts the server, also after several
# interrupts.
again() {
	trap '' HUP INT TERM
	wait
	apart start tigerbeetle
}

trap again EXIT
trap 'exit 1' HUP INT TERM
apart stop tigerbeetle
run run --rm --no-deps -T backup
