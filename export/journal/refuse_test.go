package journal_test

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
	"github.com/peerledger/peerledger/export/journal/journaltest"
)

// What a program cannot carry is refused by name, before a byte is written.
func TestBeginRefusesAssets(t *testing.T) {
	t.Parallel()
	long := accounts.Asset{Code: "ABCDEFGHIJKLMNOP", Scale: 9, Ledger: 4} // 16 letters, and -9.E10: 22 characters
	for name, test := range map[string]struct {
		format export.Format
		assets []accounts.Asset
		err    string
	}{
		"scale 251":       {journal.Ledger(), []accounts.Asset{{Code: "X", Scale: 251, Ledger: 3}}, `format ledger: asset X/251 (ledger 3) has a scale above 250`},
		"scale 250":       {journal.Ledger(), []accounts.Asset{{Code: "X", Scale: 250, Ledger: 3}}, ""},
		"scale 255":       {journal.Hledger(), []accounts.Asset{{Code: "X", Scale: 255, Ledger: 3}}, ""},
		"16 letters":      {journal.Beancount2(), []accounts.Asset{long}, ""},
		"in lower case":   {journal.Beancount3(), []accounts.Asset{{Code: "abcdefghi", Scale: 9, Ledger: 4}}, "format beancount3: asset abcdefghi/9 (ledger 4) would need the commodity X''_A_B_C_D_E_F_G_H_I-9.E10: the program takes at most 24 characters"},
		"one name":        {journal.Beancount2(), []accounts.Asset{{Code: "X", Ledger: 1}, {Code: "X", Ledger: 2}}, "asset X/0 (ledger 2) would be the commodity X-0, as the asset of ledger 1"},
		"one name quoted": {journal.Hledger(), []accounts.Asset{{Code: "X", Ledger: 1}, {Code: "X", Ledger: 2}}, "would be the commodity X.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &export.Header{Part: 1}
			for _, a := range test.assets {
				h.Assets = append(h.Assets, export.Asset{Asset: a, Bound: new(big.Int)})
			}
			var file bytes.Buffer
			err := test.format.NewWriter(&file).Begin(h)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
			require.ErrorIs(t, err, export.ErrFormat)
			var unsupported *journal.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, test.assets[len(test.assets)-1], unsupported.Asset)
			require.Zero(t, file.Len())
		})
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// Each call reports that its bytes could not be written.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, p := range journaltest.Programs() {
		b := smallBook()
		parts, closing := b.write(t, p.Format)
		summary := &export.Summary{Closing: closing}
		for left := range len(parts[0]) {
			disk := &fullDisk{left}
			w := p.Format.NewWriter(disk)
			err := w.Begin(&export.Header{Assets: []export.Asset{{Asset: b.assets[0], Bound: big.NewInt(1000)}}, Accounts: b.accounts, Opening: b.opening, Part: 1, From: b.from, To: b.to, Last: b.entries[0].Time, DayComplete: true})
			for i := range b.entries {
				if err == nil {
					err = w.Write(&b.entries[i])
				}
			}
			if err == nil {
				err = w.End(summary)
			}
			if left < len(parts[0])-100 { // the totals
				require.ErrorIs(t, err, errFull, "%s, %d bytes", p.Name, left)
			}
		}
	}
}
