package export

import (
	"fmt"
	"io"
	"strings"

	"github.com/peerledger/peerledger/accounts"
)

// flushBytes is the size from which a table writes its buffer.
const flushBytes = 32 << 10

// table writes entries as lines: CSV and JSON lines have the same columns. It collects lines in one buffer.
type table struct {
	out     io.Writer
	wanted  []string // names of the columns
	columns []column
	times   timeText
	// names has the accounts' names and codes their assets' codes, by Account.Index, as the format writes
	// text.
	names, codes [][]byte
	buffer       []byte
}

// newTable returns a table with the named columns, all if there are none.
func newTable(w io.Writer, names []string) *table {
	if len(names) == 0 {
		names = ColumnNames()
	}
	return &table{out: w, wanted: names}
}

// begin finds the columns, and keeps the texts of the accounts, as quote writes a text.
func (t *table) begin(h *Header, quote func(string) ([]byte, error)) error {
	for _, name := range t.wanted {
		c, known := findColumn(name)
		if !known {
			return &accounts.FieldError{
				Subject: "export", Field: "Columns", Reason: fmt.Sprintf("have %q; there are %s", name, strings.Join(ColumnNames(), ", ")),
			}
		}
		t.columns = append(t.columns, c)
	}
	return t.nameAccounts(h, quote)
}

func findColumn(name string) (column, bool) {
	for _, c := range columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// nameAccounts keeps the texts of the accounts.
func (t *table) nameAccounts(h *Header, quote func(string) ([]byte, error)) error {
	t.names, t.codes = make([][]byte, len(h.Accounts)), make([][]byte, len(h.Accounts))
	for i, account := range h.Accounts {
		var err error
		if t.names[i], err = quote(account.Name()); err != nil {
			return fmt.Errorf("account %.60q: %w", account.Name(), err)
		}
		if t.codes[i], err = quote(account.Asset.Code); err != nil {
			return fmt.Errorf("asset %q: %w", account.Asset.Code, err)
		}
	}
	return nil
}

// flush writes the buffer.
func (t *table) flush() error {
	_, err := t.out.Write(t.buffer)
	t.buffer = t.buffer[:0]
	return err
}

// flushIfLarge writes the buffer if it is large.
func (t *table) flushIfLarge() error {
	if len(t.buffer) < flushBytes {
		return nil
	}
	return t.flush()
}
