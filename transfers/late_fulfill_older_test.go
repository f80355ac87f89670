package transfers_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// olderRows returns the rows of a late fulfill as a version without arrears booked it:
// suspense in place of the sender, collected from the sender under phase 4, not under phase 5.
func (f *fixture) olderRows(p transfers.Packet, phase uint64, collected uint64) []ledger.Transfer {
	own, _ := f.book.AssetIDs(usd.Ledger)
	row := func(leg uint64, debit, credit ledger.ID, amount uint64) ledger.Transfer {
		id := p.ID
		id.Lo |= leg<<4 | phase
		return ledger.Transfer{
			ID: id, DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount), Ledger: 1, Code: chart.CodeCorrection,
			UserData128: uint128.Uint128(p.ID), Flags: ledger.TransferLinked,
		}
	}
	rows := []ledger.Transfer{row(0, own.Suspense, f.bob.ID(), p.Out)}
	if p.In > p.Out {
		rows = append(rows, row(1, own.Suspense, own.Revenue, p.In-p.Out))
	}
	if phase == 4 {
		rows = append(rows, row(15, f.alice.ID(), own.Suspense, collected))
	}
	rows[len(rows)-1].Flags = 0
	return rows
}

// A late fulfill booked by an older version is recognized, and not booked again.
func TestLateFulfillOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		f, w := newLateFixture(t, transfers.Config{})
		phase := 4 + uint64(i)%2
		p := f.holdOf(t, w, f.packet(600, 500+100*uint64(i/2))) // with and without a fee
		rows := f.olderRows(p, phase, 300)
		rows[0].UserData32 = f.tagOf(t, p)
		if phase == 5 { // the sender was closed: leg 15 of phase 4 is burnt
			f.closeAccount(t, f.alice)
			results, err := f.embedded.CreateTransfers(t.Context(), f.olderRows(p, 4, 0))
			require.NoError(t, err)
			require.Equal(t, ledger.TransferDebitAccountAlreadyClosed, results[len(results)-1].Status)
			f.openAccount(t, f.alice)
		}
		results, err := f.embedded.CreateTransfers(t.Context(), rows)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, ledger.ChainOutcome(results).Outcome)
		got, err := f.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
		require.True(t, got.Late)
		require.Equal(t, int64(700+p.Out), f.position(t, f.bob))
		require.Zero(t, f.arrears(t, f.alice))
		f.closeAndCheck(t)
	}
}

// Another transfer under the id of a correction is a conflict, and nothing is booked.
func TestLateFulfillMeetsAnotherTransfer(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	p := f.holdExpired(t, w)
	rows := f.olderRows(p, 5, 0)[:1]
	rows[0].ID.Lo ^= 4 ^ 5
	rows[0].Flags, rows[0].Amount = 0, units(1)
	results, err := f.embedded.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	_, err = f.recorder.Fulfill(t.Context(), p)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	require.Zero(t, f.arrears(t, f.alice))
	f.closeAndCheck(t)
}

// tagOf returns the hash of a held packet's legs, which the first leg's transfer carries.
func (f *fixture) tagOf(t *testing.T, p transfers.Packet) uint32 {
	t.Helper()
	rows, err := f.embedded.LookupTransfers(t.Context(), []ledger.ID{p.ID})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0].UserData32
}
