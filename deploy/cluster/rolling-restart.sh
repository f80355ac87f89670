#!/bin/sh
# Restarts the replicas one after another, each only when all others answer: with a new
# PEERLEDGER_TIGERBEETLE_IMAGE in .env this is the upgrade (docs/operations.md#upgrade).
#
#   ./rolling-restart.sh [services, default replica-0 replica-1 replica-2]
#
# With six replicas name all six, and set
# COMPOSE="docker compose -f compose.yaml -f compose.six.yaml --env-file six.env"
set -eu
cd "$(dirname "$0")"

compose=${COMPOSE:-docker compose}
patience=${PATIENCE:-180} # seconds for a replica to be back

# shellcheck disable=SC2086 # COMPOSE may be two words
run() { $compose "$@"; }

# healthy succeeds if every replica answers at its own address, and a request is executed.
healthy() { run run --rm --no-deps -T peerledger doctor --strict >"$report" 2>&1; }

report=$(mktemp)
trap 'rm -f "$report"' EXIT

[ $# -gt 0 ] || set -- replica-0 replica-1 replica-2
if ! healthy; then
	cat "$report" >&2
	echo "rolling-restart: not begun: the cluster is not whole, and one replica less could stop it" >&2
	exit 1
fi
for replica in "$@"; do
	echo "rolling-restart: $replica"
	run up -d --no-deps --force-recreate "$replica"
	waited=0
	until healthy; do
		waited=$((waited + 5))
		if [ "$waited" -gt "$patience" ]; then
			cat "$report" >&2
			echo "rolling-restart: stopped: $replica is not back after $patience s; the others were not touched" >&2
			exit 1
		fi
		sleep 5
	done
done
echo "rolling-restart: done"
