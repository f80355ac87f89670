//go:build cgo

package ledger_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// Package cluster passes the memory of the records to the native client.
func TestLayoutIsTigerBeetles(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct{ ours, theirs any }{
		{ledger.Account{}, tb.Account{}},
		{ledger.Transfer{}, tb.Transfer{}},
		{ledger.CreateAccountResult{}, tb.CreateAccountResult{}},
		{ledger.CreateTransferResult{}, tb.CreateTransferResult{}},
		{ledger.AccountFilter{}, tb.AccountFilter{}},
		{ledger.AccountBalance{}, tb.AccountBalance{}},
		{ledger.QueryFilter{}, tb.QueryFilter{}},
		{ledger.ChangeEvent{}, tb.ChangeEvent{}},
		{ledger.ChangeEventsFilter{}, tb.ChangeEventsFilter{}},
	} {
		ours, theirs := reflect.TypeOf(pair.ours), reflect.TypeOf(pair.theirs)
		require.Equal(t, theirs.Size(), ours.Size(), "%v", ours)
		require.Equal(t, theirs.NumField(), ours.NumField(), "%v", ours)
		for i := range ours.NumField() {
			our, their := ours.Field(i), theirs.Field(i)
			require.Equal(t, their.Name, our.Name, "%v", ours)
			require.Equal(t, their.Offset, our.Offset, "%v.%s", ours, our.Name)
			require.Equal(t, their.Type.Size(), our.Type.Size(), "%v.%s", ours, our.Name)
		}
	}
}

func TestStatusesAreTigerBeetles(t *testing.T) {
	t.Parallel()
	require.Len(t, ledger.CreateAccountStatuses(), 27)
	require.Len(t, ledger.CreateTransferStatuses(), 68)
	// tigerbeetle-go spells the same words in camel case.
	require.Equal(t, "TransferPendingTransferHasDifferentCreditAccountID",
		tb.CreateTransferStatus(ledger.TransferPendingTransferHasDifferentCreditAccountID).String())
	for _, s := range ledger.CreateAccountStatuses() {
		require.NotContains(t, tb.CreateAccountStatus(s).String(), "(", "%v", s)
	}
	for _, s := range ledger.CreateTransferStatuses() {
		require.NotContains(t, tb.CreateTransferStatus(s).String(), "(", "%v", s)
	}
}
