#!/bin/sh
# Brings a replica back whose data file is lost, from the other replicas. It runs beside
# the others, with the replica's own server stopped, and takes the variables of format.sh
# and ADDRESSES, the addresses of all replicas in their order.
#
# format must never be used for this: a fresh file has forgotten what the replica promised
# to the others, and the cluster could lose what it has answered.
#
#   recover.sh --check   changes nothing: refuses if there is nothing to recover
set -eu

data=${DATA:-/data}
tigerbeetle=${TIGERBEETLE:-/tigerbeetle}

refuse() {
	echo "recover: $1" >&2
	exit 1
}

for variable in CLUSTER_ID REPLICA REPLICA_COUNT ADDRESSES; do
	eval "value=\${$variable:-}"
	[ -n "$value" ] || refuse "$variable is not set"
done
[ "$REPLICA_COUNT" -ge 3 ] || refuse "a cluster of $REPLICA_COUNT has nobody to recover from; restore a backup (peerledger restore)"

file=$data/${CLUSTER_ID}_$REPLICA.tigerbeetle
for other in "$data"/*.tigerbeetle; do
	[ -e "$other" ] || [ -L "$other" ] || continue # there is none, and this is the pattern
	[ -e "$other" ] || refuse "${other##*/} is a link to a file that is not there: $(readlink "$other"). Is its disk mounted? Nothing was changed."
	refuse "the volume holds ${other##*/}. A damaged file repairs itself from the others: start the server with it first. To give it up, move it to another place. Nothing was changed."
done
[ "${1:-}" != --check ] || exit 0

partial=$data/.recovering
rm -f "$partial"
"$tigerbeetle" recover "--cluster=$CLUSTER_ID" "--addresses=$ADDRESSES" "--replica=$REPLICA" "--replica-count=$REPLICA_COUNT" "$partial"
sync
mv "$partial" "$file"
sync
echo "recover: made ${file##*/}; start the server"
