#!/bin/sh
# Formats the data file of one replica, once.
#
# It ends with status 0 if the file of this cluster and replica is there already, and
# refuses if the volume holds anything else: a changed cluster id would otherwise start an
# empty ledger beside the real one. TigerBeetle itself reads none of these variables.
#
#   CLUSTER_ID     decimal, 1 to 2^128-1; fixed for ever
#   REPLICA        index of this replica, 0 to REPLICA_COUNT-1
#   REPLICA_COUNT  1 to 6; fixed for ever
#   DATA           the volume, default /data
#   TIGERBEETLE    the binary, default /tigerbeetle (as in the image)
set -eu

data=${DATA:-/data}
tigerbeetle=${TIGERBEETLE:-/tigerbeetle}

refuse() {
	echo "format: $1" >&2
	exit 1
}

# check NAME VALUE: a decimal number without sign or leading zeros.
check() {
	case $2 in
	'' | *[!0-9]* | 0?*) refuse "$1 is '$2', and must be a decimal number without leading zeros" ;;
	esac
}

check CLUSTER_ID "${CLUSTER_ID:-}"
check REPLICA "${REPLICA:-}"
check REPLICA_COUNT "${REPLICA_COUNT:-}"
[ "$CLUSTER_ID" != 0 ] || refuse "CLUSTER_ID is 0, which TigerBeetle keeps for tests; choose another number"
[ "${#CLUSTER_ID}" -le 39 ] || refuse "CLUSTER_ID is $CLUSTER_ID, and must be below 2^128"
case $REPLICA_COUNT in
[1-6]) ;;
*) refuse "REPLICA_COUNT is $REPLICA_COUNT, and must be 1 to 6" ;;
esac
[ "$REPLICA" -lt "$REPLICA_COUNT" ] || refuse "REPLICA is $REPLICA, and must be below REPLICA_COUNT, $REPLICA_COUNT"

name=${CLUSTER_ID}_$REPLICA.tigerbeetle
file=$data/$name

for other in "$data"/*.tigerbeetle; do
	if [ ! -e "$other" ] || [ "$other" = "$file" ]; then
		continue
	fi
	refuse "the volume holds ${other##*/}, and $name was asked for (cluster $CLUSTER_ID, replica $REPLICA).
format: The id and the index of a data file never change. Correct the configuration, or use
format: another volume. Nothing was formatted."
done

if [ -e "$file" ]; then
	count=$("$tigerbeetle" inspect superblock "$file" 2>/dev/null |
		sed -n 's/^|* vsr_state\.replica_count=\([0-9]*\)$/\1/p') || count=
	case $count in
	"$REPLICA_COUNT") ;;
	'') refuse "$name is there and cannot be read: damaged, or not a data file. Look with: peerledger doctor --data-file" ;;
	*) refuse "$name is of a cluster of $count replicas, and REPLICA_COUNT is $REPLICA_COUNT. The number never changes (docs/operations.md#scaling)" ;;
	esac
	echo "format: $name is there, nothing to do"
	exit 0
fi

# A format that is cut short must not leave a file that a server would start with.
partial=$data/.formatting
rm -f "$partial"
"$tigerbeetle" format "--cluster=$CLUSTER_ID" "--replica=$REPLICA" "--replica-count=$REPLICA_COUNT" "$partial"
sync
mv "$partial" "$file"
sync
echo "format: made $name of a cluster of $REPLICA_COUNT"
