//go:build cgo && unix

package migrate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

func TestOnASingleNode(t *testing.T) {
	t.Parallel()
	testThereAndBack(t, tigerbeetletest.Config{})
}

func TestOnACluster(t *testing.T) {
	t.Parallel()
	testThereAndBack(t, tigerbeetletest.Config{Replicas: 3})
}

// A recorder in rounds goes on with its journal on a cluster, which has rows of its own flag.
func TestRoundsOnACluster(t *testing.T) {
	t.Parallel()
	to := tigerbeetletest.Start(t, tigerbeetletest.Config{}).Open(t)
	testRoundsGoOn(t, true, false, func(c *clock, from ledger.Ledger) ledger.Ledger {
		c.advance(time.Hour)
		_, err := Run(t.Context(), from, to, to.BatchMax(), nil)
		require.NoError(t, err)
		return to
	})
}

// All rows of a random program on an embedded ledger arrive on a cluster, and from there on another
// embedded ledger.
func testThereAndBack(t *testing.T, cfg tigerbeetletest.Config) {
	t.Helper()
	c := tigerbeetletest.Start(t, cfg)
	seed := ledgertest.Seed(t)
	past := newClock() // months ago
	from := newLedger(t, past)
	ledgertest.RunProgram(t, slept{from, past}, seed)
	correction := bookCorrection(t, from)
	past.advance(240 * time.Hour)
	to := c.Open(t)
	burnt := listBurnt(t, from)
	result, err := Run(t.Context(), from, to, to.BatchMax(), nil)
	require.NoError(t, err)
	t.Logf("%+v", result)
	require.Equal(t, len(burnt), result.Burnt)
	requireSameAnswers(t, from, to, burnt)
	again, err := Run(t.Context(), unlisted{from}, to, to.BatchMax(), nil)
	require.NoError(t, err)
	require.Equal(t, 2, again.Burnt)
	correction.ID.Lo-- // phase 4
	correction.Timestamp = 0
	results, err := to.CreateTransfers(t.Context(), []ledger.Transfer{correction})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferIDAlreadyFailed, results[0].Status)
	ledgertest.RequireConserved(t, to)

	back := newClock()
	back.now.Store(time.Now().UnixNano())
	_, err = newMigration(t, back, to, newLedger(t, back), 100).runSteps()
	require.NoError(t, err)
}

// bookCorrection books a packet's correction of phase 5.
func bookCorrection(t *testing.T, l ledger.Ledger) ledger.Transfer {
	t.Helper()
	packet := ledger.NewID(1<<20, 1)
	a, b := ledger.NewID(1, 1<<40), ledger.NewID(2, 1<<40)
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{{ID: a, Ledger: 1, Code: 1}, {ID: b, Ledger: 1, Code: 1}})
	require.NoError(t, err)
	row := ledger.Transfer{
		ID: packet, DebitAccountID: a, CreditAccountID: b, Amount: units(1), UserData128: uint128.Uint128(packet), Ledger: 1, Code: 5,
	}
	row.ID.Lo |= 5
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	return row
}
