// Package parquet writes exports as Parquet files, which DuckDB, pyarrow, pandas and Polars open without a
// lost unit.
//
// Amounts and balances are in whole units of the asset, unlike in CSV and JSON lines: 2.50, and not 250 with the scale 2. Their columns are
// decimals of 38 digits while no amount, no balance and no sum of amounts can have more, and else texts: the
// programs round, wrap or refuse longer decimals. A file's metadata have control totals to compare sums with.
//
// A program that uses the library without this package does not get the library for Parquet.
package parquet
