#!/bin/sh
# Recovers a replica with a lost data file from the other replicas. The other replicas must
# be running, and the replica's own server stopped. The variables are those of format.sh, and
# ADDRESSES: the addresses of all replicas in the order of their indices.
#
# Never use format.sh instead: a newly formatted file lacks the replica's promises to the
# other replicas, and the cluster could lose requests that it has answered.
#
#   recover.sh --check   changes nothing, and fails if the volume holds a data file
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
[ "$REPLICA_COUNT" -ge 3 ] || refuse "a cluster of $REPLICA_COUNT has too few other replicas to recover from; restore a backup (peerledger restore)"

file=$data/${CLUSTER_ID}_$REPLICA.tigerbeetle
for other in "$data"/*.tigerbeetle; do
	[ -e "$other" ] || [ -L "$other" ] || continue # no file: $other is the pattern itself
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
