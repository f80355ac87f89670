package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	file "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/peerledger/peerledger/export"
)

// Format returns the format of Parquet files, with zstd.
func Format() export.Format {
	return export.Format{Name: "parquet", Extension: ".parquet", NewWriter: func(w io.Writer) export.Writer { return &writer{to: w} }}
}

// TotalsKey is the key of the control totals in the file's metadata: a JSON array with a [Total] for each asset.
const TotalsKey = "peerledger.totals"

// Total has the control totals of an asset.
type Total struct {
	Asset     string `json:"asset"`
	Scale     uint8  `json:"scale"`
	Ledger    uint32 `json:"ledger"`
	Entries   uint64 `json:"entries"`
	Transfers uint64 `json:"transfers"`
	Amounts   string `json:"amounts"` // in whole units, with all decimals
}

// The library keeps a group of rows in memory until it is complete.
const (
	rowsInGroup = 1 << 17
	rowsInBatch = 1 << 10
)

type writer struct {
	to      io.Writer
	header  *export.Header
	names   []string // of accounts, by index
	amounts amounts
	columns []column
	file    *file.GenericWriter[any]
	rows    []file.Row // a batch that is not written yet
	fault   error      // of the amounts of an entry
}

func (w *writer) Begin(h *export.Header) error {
	w.header, w.amounts = h, chooseAmounts(h.Assets)
	w.columns = columns(w.amounts)
	for _, a := range h.Accounts {
		w.names = append(w.names, a.Name())
	}
	w.file = file.NewGenericWriter[any](w.to, schema(w.columns), file.Compression(&zstd.Codec{}),
		file.MaxRowsPerRowGroup(rowsInGroup), file.CreatedBy("peerledger", "", ""))
	return nil
}

func (w *writer) Write(e *export.Entry) error {
	row := make(file.Row, len(w.columns))
	for i := range w.columns {
		value, present := w.columns[i].value(w, e), 0
		if w.columns[i].node.Optional() && !value.IsNull() {
			present = 1
		}
		row[i] = value.Level(0, present, i)
	}
	if w.fault != nil {
		return fmt.Errorf("transfer %v: %w", e.Transfer, w.fault)
	}
	w.rows = append(w.rows, row)
	if len(w.rows) < rowsInBatch {
		return nil
	}
	return w.writeBatch()
}

// amount returns an amount or a balance of an account's asset.
func (w *writer) amount(b export.Balance, a *export.Account) file.Value {
	value, err := w.amounts.value(b.Big(), a.Asset.Scale)
	w.fault = errors.Join(w.fault, err)
	return value
}

func (w *writer) knownBalance(a *export.Account, b export.Balance) file.Value {
	if a.Partial {
		return file.Value{}
	}
	return w.amount(b, a)
}

func (w *writer) writeBatch() error {
	_, err := w.file.WriteRows(w.rows)
	w.rows = slices.Delete(w.rows, 0, len(w.rows))
	return err
}

// End writes the rest, and the control totals.
func (w *writer) End(s *export.Summary) error {
	if err := w.writeBatch(); err != nil {
		return err
	}
	totals := []Total{}
	for i, total := range s.Totals {
		a := w.header.Assets[i]
		totals = append(totals, Total{
			Asset: a.Code, Scale: a.Scale, Ledger: a.Ledger, Entries: total.Entries, Transfers: total.Transfers,
			Amounts: wholeUnits(total.Amounts, a.Scale),
		})
	}
	text, err := json.Marshal(totals)
	if err != nil {
		return err
	}
	w.file.SetKeyValueMetadata(TotalsKey, string(text))
	return w.file.Close()
}
