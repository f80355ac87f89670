#!/usr/bin/env bash
# lukechampine.com/uint128 v1.3.0: FromBig changes the big.Int that it is given.
#
# FromBig(i) returns the right Uint128, and leaves i shifted right by 64 bits: an amount below
# 2^64 becomes 0 in the caller's hands. Its documentation does not say so, and no other function
# of the package, nor of math/big's conversions (Int64, Uint64, Float64), changes its argument.
# A balance that is converted for a request and then used again is wrong without an error.
# Give it a copy: uint128.FromBig(new(big.Int).Set(i)). peerledger does so in
# ledger.ClampAmount.
#
# Output seen on 2026-11-29:
#   before 500, as Uint128 500, after 0
#   before 18446744073709551621, as Uint128 18446744073709551621, after 1
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'EOF'
module finding

go 1.24
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"math/big"

	"lukechampine.com/uint128"
)

func main() {
	for _, text := range []string{"500", "18446744073709551621"} {
		n, _ := new(big.Int).SetString(text, 10)
		u := uint128.FromBig(n)
		fmt.Printf("before %s, as Uint128 %v, after %v\n", text, u, n)
	}
}
EOF
go get lukechampine.com/uint128@v1.3.0 2>/dev/null
output=$(go run .)
echo "$output"
[[ $output == "before 500, as Uint128 500, after 0
before 18446744073709551621, as Uint128 18446744073709551621, after 1" ]]
