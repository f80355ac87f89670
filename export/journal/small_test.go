package journal_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal/journaltest"
	"github.com/peerledger/peerledger/ledger"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

// smallBook has one packet of 2.50 from alice to bob, who had 1.00 each.
func smallBook() *book {
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	b := &book{
		assets: []accounts.Asset{usd},
		from:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), to: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	}
	alice := b.addAccount(export.Account{Asset: usd, Kind: export.KindPeer, Peer: "alice"})
	bob := b.addAccount(export.Account{Asset: usd, Kind: export.KindPeer, Peer: "Bob's"})
	b.addAccount(export.Account{Asset: usd, Kind: export.KindLiquidity})
	b.opening[0], _ = b.opening[0].Credit(ledger.NewAmount(100))
	b.opening[1], _ = b.opening[1].Debit(ledger.NewAmount(100))
	balances := append([]export.Balance{}, b.opening...)
	at := uint64(time.Date(2026, 1, 30, 10, 20, 30, 123456789, time.UTC).UnixNano())
	b.book(alice, bob, ledger.NewAmount(250), at, balances)
	b.entries[0].Transfer = ledger.NewID(0x7f3a, 0)
	return b
}

// The files are a promise: what reads them goes on to work.
func TestSmallBook(t *testing.T) {
	t.Parallel()
	for _, p := range journaltest.Programs() {
		parts, _ := smallBook().write(t, p.Format)
		path := filepath.Join("testdata", "small"+p.Format.Extension)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(parts[0]), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), parts[0], p.Name)
	}
}
