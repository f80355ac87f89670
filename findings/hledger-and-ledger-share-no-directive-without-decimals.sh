#!/usr/bin/env bash
# hledger 1.25 and ledger 3.3.0 (Debian 12): no commodity directive with a format is taken by both if the commodity
# has no decimals.
#
# hledger wants a decimal mark in each format, and refuses "format 0". ledger takes "0." for two things, and says that the symbol
# of the format is another one; it refuses "5." as an amount, too. With decimals the same directive is fine in
# both. Without a format the directive declares the commodity in both, also for --strict, and amounts without a decimal mark
# have no decimals.
#
# export/journal writes no format for an asset of scale 0.
#
# Output seen on 2026-12-01:
#   format 0: hledger refuses it, ledger takes it
#   format 0.: hledger takes it, ledger refuses it
#   no format: hledger takes it, ledger takes it
#
# The script fails if this has changed. It installs Debian's packages if they are missing, which takes root.
set -euo pipefail
export LC_ALL=C.UTF-8
type hledger ledger >/dev/null 2>&1 ||
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends hledger ledger >/dev/null; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
verdict() { if "$@" >/dev/null 2>&1; then echo "$1 takes it"; else echo "$1 refuses it"; fi; }
for format in 'format 0' 'format 0.' 'no format'; do
	{
		echo 'commodity "JPY.0"'
		[[ $format == 'no format' ]] || echo "    $format \"JPY.0\""
		printf '\n2026-01-02 * payment\n    Assets:A  5 "JPY.0" = 5 "JPY.0"\n    Assets:B  -5 "JPY.0" = -5 "JPY.0"\n'
	} >journal
	echo "$format: $(verdict hledger -f journal balance), $(verdict ledger -f journal balance)"
done | tee seen
diff - seen <<'EOF'
format 0: hledger refuses it, ledger takes it
format 0.: hledger takes it, ledger refuses it
no format: hledger takes it, ledger takes it
EOF
