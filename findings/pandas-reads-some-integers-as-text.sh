#!/usr/bin/env bash
# pandas 3.1.1: read_csv takes a column of integers for text if it has one from 2^63 to 2^64-1 and one below 0.
#
# Smaller integers become int64, larger ones Python's integers, and both have the right sum. A column with 18446744073709551615
# and -1 fits neither int64 nor uint64, and becomes a column of texts. sum() then joins the texts:
# "18446744073709551615-1". A balance in units of 10^-18 is in that range from 9.2 whole units to 18.4.
#
# So read the columns of a CSV export with dtype=str, and convert them with int. docs/accounting.md says so.
#
# Output seen on 2026-12-01, Python 3.11.7:
#   int64 9223372036854775806
#   str 18446744073709551615-1
#   object 18446744073709551615
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: pandas==3.1.1
cat >finding.py <<'EOF'
import pandas

for largest in 2**63 - 1, 2**64 - 1, 2**64:
    with open('balances.csv', 'w') as file:
        print('balance', largest, -1, sep='\n', file=file)
    column = pandas.read_csv('balances.csv')['balance']
    print(column.dtype, column.sum())
EOF
venv/bin/python finding.py | tee seen
diff - seen <<'EOF'
int64 9223372036854775806
str 18446744073709551615-1
object 18446744073709551615
EOF
