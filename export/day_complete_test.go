package export_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// headerWriter keeps the header of an export.
type headerWriter struct{ header *export.Header }

// headerFormat makes writers that keep the header.
func headerFormat(h *export.Header) func(io.Writer) export.Writer {
	return func(io.Writer) export.Writer { return &headerWriter{h} }
}

func (w *headerWriter) Begin(h *export.Header) error {
	*w.header = *h
	return nil
}
func (*headerWriter) Write(*export.Entry) error { return nil }
func (*headerWriter) End(*export.Summary) error { return nil }

// The last day is complete if no later part can have an entry of it.
func TestDayComplete(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 30, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		at       time.Time // of the newest row
		from, to time.Time
		parts    bool
		complete bool
	}{
		"no later part":                  {at: time.Now(), complete: true},
		"a day that is over":             {at: noon, parts: true, complete: true},
		"today":                          {at: time.Now(), parts: true},
		"a range that ends with the day": {at: noon, to: noon.Add(12 * time.Hour), parts: true, complete: true},
		"a range that ends within it":    {at: noon, to: noon.Add(12*time.Hour - 1), parts: true},
		"no row since the beginning":     {at: noon, from: noon.Add(24 * time.Hour), parts: true, complete: true},
		"no row today":                   {at: noon, from: time.Now(), parts: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
			l := embedded.New(embedded.WithClock(func() time.Time { return test.at }))
			defer func() { require.NoError(t, l.Close()) }()
			book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
			require.NoError(t, err)
			_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd})
			require.NoError(t, err)
			_, err = book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "start", Amount: ledger.NewAmount(100)})
			require.NoError(t, err)
			var header export.Header
			format := export.Format{Name: "header", Extension: ".header", NewWriter: func(io.Writer) export.Writer { return &headerWriter{&header} }}
			query := export.Query{From: test.from, To: test.to}
			if test.parts {
				_, err = export.WritePart(t.Context(), l, book, query, t.TempDir(), format)
			} else {
				_, err = export.Run(t.Context(), l, book, query, &headerWriter{&header})
			}
			require.NoError(t, err)
			require.Equal(t, test.complete, header.DayComplete)
		})
	}
}
