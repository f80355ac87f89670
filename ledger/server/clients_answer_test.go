package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// scriptRow is a row of an answer: numbers by the script's names of the fields.
type scriptRow map[string]*big.Int

// scriptAnswer is the answer to one step.
type scriptAnswer struct {
	step scriptStep
	rows []scriptRow
	err  string // empty: no error
}

// scriptClock replaces timestamps by their places in the order of all timestamps that every client sees.
type scriptClock struct {
	order []uint64
}

// importedMax is the last timestamp of an imported object of the script. The clocks of servers are far beyond.
const importedMax = 1_000_000

func newScriptClock(answers []scriptAnswer) *scriptClock {
	c := &scriptClock{}
	for _, a := range answers {
		if len(a.step.Clients) > 0 || len(a.step.Summary) > 0 {
			continue
		}
		for _, row := range a.rows {
			if timestamp := row["timestamp"].Uint64(); timestamp > importedMax {
				c.order = append(c.order, timestamp)
			}
		}
	}
	slices.Sort(c.order)
	c.order = slices.Compact(c.order)
	return c
}

// formatTimestamp returns a place such as #7, or #7+ for a timestamp between the places 7 and 8.
func (c *scriptClock) formatTimestamp(timestamp uint64) string {
	if timestamp <= importedMax {
		return fmt.Sprint(timestamp)
	}
	place, known := slices.BinarySearch(c.order, timestamp)
	if known {
		return fmt.Sprintf("#%d", place+1)
	}
	return fmt.Sprintf("#%d+", place)
}

// formatLine returns the line of an answer. Without a clock it has no timestamps.
func (a scriptAnswer) formatLine(script *clientScript, name string, clock *scriptClock) string {
	if a.err != "" {
		return encodeLine(struct {
			Step  string `json:"step"`
			Error string `json:"error"`
		}{name, a.err})
	}
	fields := script.Fields[script.Operations[a.step.Operation].Result]
	if len(a.step.Summary) > 0 {
		fields = a.step.Summary
	}
	rows := make([]string, len(a.rows))
	for i, row := range a.rows {
		rows[i] = a.formatRow(fields, row, clock)
	}
	if len(a.step.Summary) > 0 {
		rows = summarizeRows(rows)
	}
	return encodeLine(struct {
		Step string   `json:"step"`
		Rows []string `json:"rows"`
	}{name, rows})
}

func encodeLine(line any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		panic(err) // strings have an encoding
	}
	return strings.TrimSpace(text.String())
}

// formatRow returns the fields of a row that are not 0.
func (a scriptAnswer) formatRow(fields []string, row scriptRow, clock *scriptClock) string {
	var words []string
	for _, field := range fields {
		number, text := row[field], row[field].String()
		isTimestamp := strings.HasSuffix(field, "timestamp")
		switch {
		case number.Sign() == 0 || isTimestamp && clock == nil:
			continue
		case isTimestamp:
			text = clock.formatTimestamp(number.Uint64())
		case field == "status" && a.step.Operation == "create_accounts":
			text = ledger.CreateAccountStatus(number.Uint64()).String()
		case field == "status":
			text = ledger.CreateTransferStatus(number.Uint64()).String()
		}
		words = append(words, field+"="+text)
	}
	return strings.Join(words, " ")
}

// summarizeRows counts equal rows in a row.
func summarizeRows(rows []string) (summary []string) {
	for len(rows) > 0 {
		end := slices.IndexFunc(rows, func(row string) bool { return row != rows[0] })
		if end < 0 {
			end = len(rows)
		}
		summary = append(summary, fmt.Sprintf("%d x %s", end, rows[0]))
		rows = rows[end:]
	}
	return summary
}
