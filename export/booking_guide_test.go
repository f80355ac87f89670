package export_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// bookings counts the entries by kind, debit and credit, as a line of the table has them.
type bookings map[string]int

func (b bookings) Begin(*export.Header) error { return nil }
func (b bookings) Write(e *export.Entry) error {
	b[fmt.Sprintf("`%s` | `%s` | `%s`", e.Kind, e.Debit.Kind, e.Credit.Kind)]++
	return nil
}
func (b bookings) End(*export.Summary) error { return nil }

// Every entry of random events is in the table of docs/accounting.md, "How each event is booked".
func TestGuideHasEveryBooking(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/accounting.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| (`[a-z -]+` \\| `[a-z]+` \\| `[a-z]+`) \\|$").FindAllStringSubmatch(string(guide), -1) {
		listed[row[1]] = true
	}
	seen := bookings{}
	for range 2 {
		w := newWorld(t, rand.Uint64())
		w.bookEvents(300)
		w.bookRounds(60)
		w.bookEvents(50)
		w.bookRoundCorrections()
		_, err := export.Run(t.Context(), w.ledger, w.book, export.Query{}, seen)
		require.NoError(t, err)
	}
	for booking := range seen {
		require.True(t, listed[booking], booking)
	}
	require.Greater(t, len(seen), 25)
}

// bookRoundCorrections books the corrections of rounds, which come seldom: a reservation that does not cover a round, and a
// receiver that was closed meanwhile.
func (w *world) bookRoundCorrections() {
	w.t.Helper()
	own, _ := w.book.AssetIDs(w.peers[0].Ledger())
	for i, sides := range [][2]ledger.ID{{w.book.PeerIDs(w.peers[0]).Arrears, own.Transit}, {own.Transit, own.Suspense}} {
		results, err := w.ledger.CreateTransfers(w.t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(uint64(i)+1, 4), DebitAccountID: sides[0], CreditAccountID: sides[1], Amount: ledger.NewAmount(1), Ledger: w.peers[0].Ledger(), Code: 5,
		}})
		require.NoError(w.t, err)
		require.Equal(w.t, ledger.TransferCreated, results[0].Status)
	}
}
