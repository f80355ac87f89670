#!/usr/bin/env bash
# pandas 3.1.1: a decimal128 column of a Parquet file is read exactly, and its sums are rounded to 28 digits.
#
# pandas.read_parquet makes a column of Python's Decimal objects. Each value has all its digits. But sum() and
# groupby().sum() add the objects in Python's default context of 28 digits, without a word: here the last 10 decimals of a
# sum are lost. With dtype_backend="pyarrow" the same file gives the same values, and the exact sum.
#
# So read Parquet exports with dtype_backend="pyarrow", or set decimal.getcontext().prec before adding up.
# docs/accounting.md says so, and the tests of export/parquet read that way.
#
# Output seen on 2026-12-01, Python 3.11.7, pyarrow 26.0.1:
#   values: 12345678901234567890.123456789012345678 0.000000000000000001
#   default: 12345678901234567890.12345679
#   pyarrow: 12345678901234567890.123456789012345679
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: pandas==3.1.1 pyarrow==26.0.1
cat >finding.py <<'EOF'
from decimal import Decimal
import pandas
import pyarrow
import pyarrow.parquet

values = [Decimal('12345678901234567890.123456789012345678'), Decimal('0.000000000000000001')]
table = pyarrow.table({'asset': ['USD', 'USD'], 'amount': pyarrow.array(values, pyarrow.decimal128(38, 18))})
pyarrow.parquet.write_table(table, 'amounts.parquet')
exact = pandas.read_parquet('amounts.parquet')
print('values:', *(format(value, 'f') for value in exact['amount']))
print('default:', exact.groupby('asset')['amount'].sum()['USD'])
print('pyarrow:', pandas.read_parquet('amounts.parquet', dtype_backend='pyarrow').groupby('asset')['amount'].sum()['USD'])
EOF
venv/bin/python finding.py | tee seen
diff - seen <<'EOF'
values: 12345678901234567890.123456789012345678 0.000000000000000001
default: 12345678901234567890.12345679
pyarrow: 12345678901234567890.123456789012345679
EOF
