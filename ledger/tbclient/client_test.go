//go:build cgo

package tbclient_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/tbclient"
)

func TestClient(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	t.Run("cases", func(t *testing.T) {
		testClient(t, func(*testing.T) tb.Client { return tbclient.New(l) })
	})
	ledgertest.RequireNothingHeld(t, l) // this also shows that no client closed the ledger
}

// A failing ledger behaves like a cluster without answers: calls wait for Close.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		client := tbclient.New(l)
		require.NoError(t, l.Close())
		require.NoError(t, client.Nop(), "Nop is answered within the client")
		testAway(t, client, synctest.Wait)
	})
}

// The limits are the ledger's, here those of a server started with --development.
func TestLimits(t *testing.T) {
	t.Parallel()
	client := tbclient.New(embedded.New(embedded.WithBatchMax(253)))
	defer client.Close()
	results, err := client.CreateTransfers(make([]tb.Transfer, 253))
	require.NoError(t, err)
	require.Len(t, results, 253)
	_, err = client.CreateTransfers(make([]tb.Transfer, 254))
	require.Equal(t, tb.ErrTooMuchData, err)
}

// TigerBeetle's id is an array of bytes at any address, even with the race detector's pointer
// checks.
func TestIDsAtOddAddress(t *testing.T) {
	t.Parallel()
	client := tbclient.New(embedded.New())
	defer client.Close()
	debit, credit := openAccounts(t, client)
	odd := new(struct {
		_   byte
		ids [2]tb.Uint128
	})
	odd.ids = [2]tb.Uint128{credit.ID, debit.ID}
	require.Equal(t, uintptr(1), unsafe.Offsetof(odd.ids))
	found, err := client.LookupAccounts(odd.ids[:])
	require.NoError(t, err)
	require.Equal(t, []tb.Account{credit, debit}, found)
}

// An id has the same value in both packages: the low half comes first.
func TestIDs(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	client := tbclient.New(l)
	defer client.Close()
	id, err := tb.HexStringToUint128("0123456789abcdeffedcba9876543210")
	require.NoError(t, err)
	_, err = client.CreateAccounts([]tb.Account{{ID: id, Ledger: 1, Code: 1}})
	require.NoError(t, err)
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(0xfedcba9876543210, 0x0123456789abcdef)})
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// Statuses pass through as numbers, so each number must mean the same name: tigerbeetle-go's
// AccountLinkedEventFailed is linked_event_failed here.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, s := range ledger.CreateAccountStatuses() {
		require.Equal(t, words("account", s.String()), strings.ToLower(tb.CreateAccountStatus(s).String()))
	}
	for _, s := range ledger.CreateTransferStatuses() {
		require.Equal(t, words("transfer", s.String()), strings.ToLower(tb.CreateTransferStatus(s).String()))
	}
	for kind := ledger.ChangeEventSinglePhase; kind <= ledger.ChangeEventTwoPhaseExpired; kind++ {
		require.Equal(t, words("changeevent", kind.String()), strings.ToLower(tb.ChangeEventType(kind).String()))
	}
}

func words(prefix, name string) string { return prefix + strings.ReplaceAll(name, "_", "") }
