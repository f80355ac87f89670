package journal_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal/journaltest"
	"github.com/peerledger/peerledger/ledger"
)

// The programs accept 100,000 entries of one second, of 39 digits, and have our balances.
func TestManyEntriesAtOneMoment(t *testing.T) {
	t.Parallel()
	journaltest.Each(t, func(t *testing.T, p journaltest.Program) {
		t.Helper()
		b := momentBook()
		parts, closing := b.write(t, p.Format)
		balances, err := p.Balances(t, p.SaveParts(t, parts))
		require.NoError(t, err)
		requireBalances(t, p, b, closing, balances)
	})
}

// momentBook has entries between three peers, each a nanosecond after the one before.
func momentBook() *book {
	rng := rand.New(rand.NewPCG(1, 2))
	nano := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	b := &book{assets: []accounts.Asset{nano}}
	for _, id := range []string{"alice", "bob", "carol"} {
		b.addAccount(export.Account{Asset: nano, Kind: export.KindPeer, Peer: id})
	}
	at := uint64(time.Date(2026, 1, 30, 10, 0, 0, 0, time.UTC).UnixNano())
	balances := make([]export.Balance, len(b.accounts))
	largest, _ := ledger.AmountMax.Sub(ledger.NewAmount(1_000_000))
	b.book(b.accounts[0], b.accounts[1], largest, at, balances)
	for len(b.entries) < momentEntries {
		debit := rng.IntN(3)
		at++
		b.book(b.accounts[debit], b.accounts[(debit+1)%3], ledger.NewAmount(1+rng.Uint64N(1000)), at, balances)
	}
	for i := range b.entries {
		e := &b.entries[i]
		b.entries[i] = export.Entry{
			Time: e.Time, Transfer: e.Transfer, Count: 1, Kind: e.Kind, Debit: e.Debit, Credit: e.Credit, Amount: e.Amount,
			DebitBalance: e.DebitBalance, CreditBalance: e.CreditBalance,
		}
	}
	return b
}
