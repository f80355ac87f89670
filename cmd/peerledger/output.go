package main

import (
	"io"
	"math/big"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/jsonline"
)

// column is a column of a table of T.
type column[T any] struct {
	title  string
	cell   func(T) string
	right  bool // numbers
	colour func(T) text.Colors
}

// show prints rows: a table for people, one JSON object a line for programs.
func show[T any](a *app, rows []T, columns ...column[T]) error {
	if a.json {
		for _, row := range rows {
			if err := a.print(row); err != nil {
				return err
			}
		}
		return nil
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	header := table.Row{}
	var configs []table.ColumnConfig
	for i, c := range columns {
		header = append(header, c.title)
		if c.right {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight})
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, row := range rows {
		cells := table.Row{}
		for _, c := range columns {
			cell := c.cell(row)
			if c.colour != nil && a.coloured() {
				cell = c.colour(row).Sprint(cell)
			}
			cells = append(cells, cell)
		}
		t.AppendRow(cells)
	}
	_, err := io.WriteString(a.stdout, t.Render()+"\n")
	return err
}

// coloured reports whether colours are wanted (https://no-color.org).
func (a *app) coloured() bool { return a.shown && a.getenv("NO_COLOR") == "" }

// print prints one JSON object.
func (a *app) print(value any) error { return jsonline.Write(a.stdout, value) }

// signed writes units in whole units of the asset, with all its decimals.
func signed(asset accounts.Asset, units *big.Int) string {
	return decimal.NewFromBigInt(units, -int32(asset.Scale)).StringFixed(int32(asset.Scale))
}

// tableTime is how tables show a time, in UTC.
const tableTime = "2006-01-02 15:04:05"

// moment writes a time for people; "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(tableTime)
}
