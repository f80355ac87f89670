#!/bin/sh
# Backs up the single node: stops the connector and the server, copies the data file and the
# connector's journal, and starts both again, also after a failure. Without a connector it copies
# the data file alone.
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

services=tigerbeetle
backup=backup
connector=$(run ps --all --quiet connector)
if [ -n "$connector" ]; then
	services="connector tigerbeetle"
	backup="backup-with-journal"
fi

# again waits for the command that stops the services, and starts them, also after several
# interrupts.
again() {
	trap '' HUP INT TERM
	wait
	# shellcheck disable=SC2086 # the services are words
	apart start $services
}

trap again EXIT
trap 'exit 1' HUP INT TERM
# shellcheck disable=SC2086 # the services are words
apart stop $services
run run --rm --no-deps -T "$backup"
