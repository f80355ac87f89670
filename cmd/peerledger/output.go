package main

import (
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/jsonline"
	"github.com/peerledger/peerledger/ledger"
)

// column is one column of a table of T.
type column[T any] struct {
	title  string
	cell   func(T) string
	right  bool // align right, for numbers
	colour func(T) text.Colors
}

// printRows prints a table, or with --json one object a line.
func printRows[T any](a *app, rows []T, columns ...column[T]) error {
	if a.json {
		for _, row := range rows {
			if err := a.printJSON(row); err != nil {
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
			if c.colour != nil && a.wantsColour() {
				cell = c.colour(row).Sprint(cell)
			}
			cells = append(cells, cell)
		}
		t.AppendRow(cells)
	}
	_, err := io.WriteString(a.stdout, t.Render()+"\n")
	return err
}

// wantsColour reports whether to print colours (https://no-color.org).
func (a *app) wantsColour() bool { return a.stdoutIsTerminal && a.getenv("NO_COLOR") == "" }

// printJSON prints one JSON object.
func (a *app) printJSON(value any) error { return jsonline.Write(a.stdout, value) }

// formatSigned formats units as whole units of the asset, with all its decimals.
func formatSigned(asset accounts.Asset, units *big.Int) string {
	return decimal.NewFromBigInt(units, -int32(asset.Scale)).StringFixed(int32(asset.Scale))
}

// tableTime is the layout of times in tables, in UTC.
const tableTime = "2006-01-02 15:04:05"

// formatLine formats a credit line; the largest one is "unlimited". parseLine reads both.
func formatLine(asset accounts.Asset, line ledger.Amount) string {
	if line == accounts.Unlimited {
		return unlimited
	}
	return asset.Format(line)
}

// parseLine reads a credit line in whole units, or "unlimited".
func parseLine(asset accounts.Asset, text string) (ledger.Amount, error) {
	if text = strings.TrimSpace(text); text == unlimited {
		return accounts.Unlimited, nil
	}
	return asset.Parse(text)
}

const unlimited = "unlimited"

// formatCount returns a count with its noun: "1 peer", "2 peers".
func formatCount(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// joinNotes joins notes with line breaks and drops empty ones.
func joinNotes(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(note string) bool { return note == "" }), "\n")
}

// formatTime formats a time for tables; the zero time is "".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(tableTime)
}
