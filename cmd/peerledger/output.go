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

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/jsonline"
	"github.com/peerledger/peerledger/ledger"
)

// column is one column of the rows of T.
type column[T any] struct {
	title  string
	field  string // the name in CSV and for --sort, as in the JSON object; default title with _ for spaces
	cell   func(T) string
	value  func(T) string // without words for people, for CSV and --sort; default cell
	right  bool           // align right, for numbers
	colour func(T) text.Colors
	wide   bool // only in wide tables and CSV
	names  bool // -o name prints the column; default the first column
	isTime bool // the cells are times as in RFC 3339, or words; --time-format is for them
}

// fieldName returns the name of the column in CSV.
func (c column[T]) fieldName() string {
	return orDefault(c.field, strings.ReplaceAll(c.title, " ", "_"))
}

// plainValue returns the value of a row for programs.
func (c column[T]) plainValue(row T) string {
	if c.value != nil {
		return c.value(row)
	}
	return c.cell(row)
}

// printRows prints rows as the flags of addListFlags say: by default a table, or with --json one
// object a line.
func printRows[T any](a *app, rows []T, columns ...column[T]) error {
	rows, err := sortRows(&a.list, rows, columns)
	if err != nil {
		return err
	}
	rows = limitRows(&a.list, rows)
	if columns, err = chooseColumns(&a.list, columns); err != nil {
		return err
	}
	switch {
	case a.printsArray():
		return writeArray(a.stdout, rows)
	case a.json:
		for _, row := range rows {
			if err := a.printJSON(row); err != nil {
				return err
			}
		}
		return nil
	case a.list.output == outputCSV:
		return writeCSV(a, rows, columns)
	case a.list.output == outputName:
		named := columns[max(0, slices.IndexFunc(columns, func(c column[T]) bool { return c.names }))]
		for _, row := range rows {
			if name := named.plainValue(row); name != "" {
				if _, err := fmt.Fprintln(a.stdout, name); err != nil {
					return err
				}
			}
		}
		return nil
	case len(rows) == 0 && a.list.whenEmpty != "":
		_, err := fmt.Fprintln(a.stdout, a.list.whenEmpty)
		return err
	default:
		return printTable(a, rows, columns)
	}
}

// printTable prints a table, with all columns if it is wide.
func printTable[T any](a *app, rows []T, columns []column[T]) error {
	if a.list.output != outputWide && len(a.list.columns) == 0 {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c column[T]) bool { return c.wide })
	}
	now := time.Now()
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
	if !a.list.noHeaders {
		t.AppendHeader(header)
	}
	t.SetColumnConfigs(configs)
	for _, row := range rows {
		cells := table.Row{}
		for _, c := range columns {
			cell := c.cell(row)
			if c.isTime {
				cell = a.list.formatCellTime(cell, now, time.Local)
			}
			if c.colour != nil {
				cell = a.paint(c.colour(row), cell)
			}
			cells = append(cells, cell)
		}
		t.AppendRow(cells)
	}
	if a.list.noHeaders && len(rows) == 0 {
		return nil // an empty frame would look like a row
	}
	_, err := io.WriteString(a.stdout, t.Render()+"\n")
	return err
}

// printJSON prints one JSON object.
func (a *app) printJSON(value any) error { return jsonline.Write(a.stdout, value) }

// formatSigned formats units as whole units of the asset, with all its decimals.
func formatSigned(asset accounts.Asset, units *big.Int) string {
	return effects.FormatSigned(asset, units)
}

// formatLine formats a credit line; the largest one is "unlimited". parseLine reads both.
func formatLine(asset accounts.Asset, line ledger.Amount) string {
	return effects.FormatLine(asset, line)
}

// parseLine reads a credit line in whole units, or "unlimited".
func parseLine(asset accounts.Asset, text string) (ledger.Amount, error) {
	return effects.ParseLine(asset, text)
}

const unlimited = effects.Unlimited

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

// formatTime formats a time as in RFC 3339, in UTC and to the second; the zero time is "".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// formatID formats the id of a packet, a transfer or a key; zero is "".
func formatID(id ledger.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
