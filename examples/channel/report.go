package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
)

// report has the books after all packets, and the books after both connectors paid their debts and
// redeemed their vouchers.
type report struct {
	before, after [2]books
	kills         int
}

// printBooks prints the books. It returns errBooks if they disagree.
func (r report) printBooks(out io.Writer, opts options) error {
	err := compareBooks(r.after[0], r.after[1])
	if opts.json {
		line := struct {
			Seed   uint64   `json:"seed"`
			Kills  int      `json:"kills"`
			Before [2]books `json:"before"`
			After  [2]books `json:"after"`
			Agree  bool     `json:"agree"`
		}{opts.seed, r.kills, r.before, r.after, err == nil}
		if encoding := json.NewEncoder(out).Encode(line); encoding != nil {
			return encoding
		}
		return err
	}
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "connector", "packets sent", "position", "paid", "received", "claims signed", "not final"})
	for _, part := range []struct {
		title string
		books [2]books
	}{{"packets are through", r.before}, {"settled and redeemed", r.after}} {
		for _, b := range part.books {
			t.AppendRow(table.Row{part.title, b.Name, b.Sent, b.Position, b.Paid, b.Received, b.Claims, b.NotFinal})
		}
		t.AppendSeparator()
	}
	t.Render()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "killed and started again: %d times (seed %d)\nboth books agree\n", r.kills, opts.seed)
	return err
}
