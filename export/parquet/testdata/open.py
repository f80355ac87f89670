"""Opens a Parquet file with each program, and prints what the program has: rows, types and sums, as JSON."""
import json
import sys

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet

path = sys.argv[1]
COLUMNS = ["amount", "debit_balance", "credit_balance"]


def text(value):
    return None if value is None else value if isinstance(value, str) else format(value, "f")


def open_duckdb():
    table = duckdb.connect()
    table.execute("SET TimeZone = 'UTC'")
    table.execute("CREATE VIEW entries AS SELECT * FROM read_parquet('%s')" % path)
    kind = [row[0] for row in table.execute("SELECT typeof(amount) FROM entries LIMIT 1").fetchall()]
    rows = table.execute("SELECT asset, debit, credit, %s, epoch_ns(time) FROM entries" % ", ".join("CAST(%s AS VARCHAR)" % c for c in COLUMNS)).fetchall()
    sums = []
    if kind and kind[0].startswith("DECIMAL"):
        sums = table.execute("SELECT ledger, CAST(sum(amount) AS VARCHAR) FROM entries GROUP BY ledger ORDER BY ledger").fetchall()
    return kind, rows, sums


def open_pyarrow():
    table = pyarrow.parquet.read_table(path)
    kind = [str(table.schema.field("amount").type)]
    table = table.append_column("ns", table["time"].cast(pyarrow.int64()))
    rows = [[row["asset"], row["debit"], row["credit"]] + [text(row[c]) for c in COLUMNS] + [row["ns"]] for row in table.drop(["time"]).to_pylist()]
    sums = []
    if kind[0].startswith("decimal"):
        for number in sorted(set(table["ledger"].to_pylist())):
            part = table.filter(pyarrow.compute.equal(table["ledger"], number))
            sums.append([number, text(pyarrow.compute.sum(part["amount"]).as_py())])
    return kind, rows, sums


def open_pandas():
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    kind = [str(frame.dtypes["amount"])]
    rows = [[a, d, c] + [None if pandas.isna(v) else text(v) for v in values] + [int(t.value)] for a, d, c, *values, t in frame[["asset", "debit", "credit"] + COLUMNS + ["time"]].itertuples(index=False)]
    sums = []
    if kind[0].startswith("decimal"):
        sums = [[int(k), text(v)] for k, v in frame.groupby("ledger")["amount"].sum().items()]
    return kind, rows, sums


def open_polars():
    frame = polars.read_parquet(path)
    kind = [str(frame.schema["amount"])]
    rows = [[r[0], r[1], r[2]] + [text(v) for v in r[3:6]] + [r[6]] for r in frame.select(["asset", "debit", "credit"] + COLUMNS + [polars.col("time").dt.epoch("ns")]).rows()]
    sums = []
    if kind[0].startswith("Decimal"):
        sums = [[r[0], text(r[1])] for r in frame.group_by("ledger").agg(polars.col("amount").sum()).sort("ledger").rows()]
    return kind, rows, sums


result = {"versions": ["%s %s" % (m.__name__, m.__version__) for m in (duckdb, pyarrow, pandas, polars)]}
for name, opener in {"duckdb": open_duckdb, "pyarrow": open_pyarrow, "pandas": open_pandas, "polars": open_polars}.items():
    kind, rows, sums = opener()
    result[name] = {"type": kind[0] if kind else "", "rows": [list(row) for row in rows], "sums": [list(row) for row in sums]}
result["totals"] = json.loads(pyarrow.parquet.read_metadata(path).metadata[b"peerledger.totals"])
print(json.dumps(result))
