#!/bin/sh
# Formats the data file of one replica, once.
#
# The status is 0 if the file of this cluster and replica exists. The script fails if the
# volume holds any other data file: a changed cluster id would otherwise start an empty
# ledger beside the real one. TigerBeetle itself reads none of these variables.
#
#   CLUSTER_ID     decimal, 1 to 2^128-1; fixed for ever
#   REPLICA        index of this replica, 0 to REPLICA_COUNT-1
#   REPLICA_COUNT  1 to 6; fixed for ever
#   DATA           the volume, default /data
#   RECORD         a folder on another volume, for a record of each formatted replica: a
#                  recorded replica with a lost file, or with an unmounted disk, is not
#                  formatted again. Default none
#   TIGERBEETLE    the binary, default /tigerbeetle (as in the image)
#
#   format.sh --check   formats nothing, and fails if the file does not exist
set -eu

data=${DATA:-/data}
tigerbeetle=${TIGERBEETLE:-/tigerbeetle}

refuse() {
	echo "format: $1" >&2
	exit 1
}

# check NAME VALUE fails unless VALUE is a decimal number without sign or leading zeros.
check() {
	case $2 in
	'' | *[!0-9]* | 0?*) refuse "$1 is '$2', and must be a decimal number without leading zeros" ;;
	esac
}

# fits NUMBER succeeds below 2^128. The shell's arithmetic has too few bits.
fits() {
	[ "${#1}" -lt 39 ] && return
	[ "${#1}" -eq 39 ] && ! expr "x$1" '>' x340282366920938463463374607431768211455 >/dev/null
}

# present FILE succeeds if FILE exists, also as a link to an unmounted disk.
present() { [ -e "$1" ] || [ -L "$1" ]; }

# identity FILE prints the cluster, the index and the number of replicas of a data file, or
# nothing if the file cannot be inspected.
identity() {
	"$tigerbeetle" inspect superblock "$1" 2>/dev/null | awk '
		$2 ~ /^vsr_state\.checkpoint\.header=/ && match($0, /\.cluster=[0-9]+/) { cluster = substr($0, RSTART + 9, RLENGTH - 9) }
		$2 ~ /^vsr_state\.members\[/ { split($2, part, "="); gsub(/[^0-9]/, "", part[1]); index_of[part[2]] = part[1] }
		$2 ~ /^vsr_state\.replica_id=/ { split($2, part, "="); id = part[2] }
		$2 ~ /^vsr_state\.replica_count=/ { split($2, part, "="); count = part[2] }
		END { if (cluster != "" && id in index_of && count != "") print cluster, index_of[id], count }'
}

check CLUSTER_ID "${CLUSTER_ID:-}"
check REPLICA "${REPLICA:-}"
check REPLICA_COUNT "${REPLICA_COUNT:-}"
[ "$CLUSTER_ID" != 0 ] || refuse "CLUSTER_ID is 0, which TigerBeetle keeps for tests; choose another number"
fits "$CLUSTER_ID" || refuse "CLUSTER_ID is $CLUSTER_ID, and must be below 2^128"
case $REPLICA_COUNT in
[1-6]) ;;
*) refuse "REPLICA_COUNT is $REPLICA_COUNT, and must be 1 to 6" ;;
esac
[ "$REPLICA" -lt "$REPLICA_COUNT" ] || refuse "REPLICA is $REPLICA, and must be below REPLICA_COUNT, $REPLICA_COUNT"

name=${CLUSTER_ID}_$REPLICA.tigerbeetle
file=$data/$name
record=${RECORD:+$RECORD/$name}

for other in "$data"/*.tigerbeetle; do
	present "$other" || continue # no file: $other is the pattern itself
	[ "$other" != "$file" ] || continue
	refuse "the volume holds ${other##*/}, and $name was asked for (cluster $CLUSTER_ID, replica $REPLICA).
format: The id and the index of a data file never change. Correct the configuration, or use
format: another volume. Nothing was formatted."
done

if present "$file"; then
	[ -e "$file" ] || refuse "$name is a link to a file that is not there: $(readlink "$file"). Is its disk mounted? Nothing was formatted."
	found=$(identity "$file") || found=
	# shellcheck disable=SC2086 # three words
	set -- $found "$@"
	case $found in
	"$CLUSTER_ID $REPLICA $REPLICA_COUNT") ;;
	"$CLUSTER_ID $REPLICA "*) refuse "$name is of a cluster of $3 replicas, and REPLICA_COUNT is $REPLICA_COUNT. The number never changes (docs/operations.md#scaling)" ;;
	?*) refuse "$name has a wrong name: it is of cluster $1 and replica $2 of $3. Was another file restored or copied to this place? Nothing was changed." ;;
	# A superblock has four copies. With one damaged copy inspect fails, and the server
	# repairs the copy. A data file is never shorter than its log of 1 GiB.
	*)
		[ "$(stat -L -c %s "$file")" -gt 1073741824 ] ||
			refuse "$name is there and cannot be read: cut short, or not a data file. Look with: peerledger doctor --data-file"
		echo "format: warning: $name cannot be inspected; the server repairs what it can, and refuses the rest" >&2
		;;
	esac
	[ -z "$record" ] || : >"$record"
	echo "format: $name is there, nothing to do"
	exit 0
fi

if [ -n "$record" ] && present "$record"; then
	[ "$REPLICA_COUNT" -ge 3 ] || refuse "$name was here before, and its volume is empty now.
format: Find the volume, or restore a backup (peerledger restore). Nothing was formatted.
format: To begin an empty ledger all the same, remove $name from the record."
	refuse "$name was here before, and its volume is empty now. A replica that is formatted again has
format: forgotten what it promised to the others, and the cluster could lose what it has answered.
format: Find the volume, or get the replica back with recover.sh. Nothing was formatted."
fi
[ "${1:-}" != --check ] ||
	refuse "$name is not there. Format it once if the cluster is new; if it was there before, find it, or use recover.sh"

# The name is temporary: a server must not start with the file of an interrupted format.
partial=$data/.formatting
rm -f "$partial"
"$tigerbeetle" format "--cluster=$CLUSTER_ID" "--replica=$REPLICA" "--replica-count=$REPLICA_COUNT" "$partial"
sync
mv "$partial" "$file"
[ -z "$record" ] || : >"$record"
sync
echo "format: made $name of a cluster of $REPLICA_COUNT"
