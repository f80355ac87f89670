package ledgertest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Cut into other requests, a program has the same events in the same order, and chains and mixed
// requests stay together.
func TestRebatch(t *testing.T) {
	t.Parallel()
	event := func(id uint64, flags ledger.TransferFlags) ledger.Transfer {
		return ledger.Transfer{ID: ledger.NewID(id, 0), Flags: flags}
	}
	const linked, imported = ledger.TransferLinked, ledger.TransferImported
	requests := [][]ledger.Transfer{
		{event(1, 0), event(2, linked), event(3, linked), event(4, 0), event(5, 0)},
		{event(6, 0), event(7, linked)}, // an open chain
		{event(8, 0), event(9, imported)},
		{event(10, imported), event(11, imported)},
		{event(12, 0)},
	}
	random := rand.New(rand.NewPCG(1, 0))
	cuts := map[int]bool{}
	for range 200 {
		var ids []uint64
		ends := map[uint64]bool{}
		rebatched := rebatchEvents(random, requests, newTransferHeader)
		for _, request := range rebatched {
			for i := range request {
				ids = append(ids, request[i].ID.Lo)
			}
			ends[request[len(request)-1].ID.Lo] = true
		}
		require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ids)
		require.False(t, ends[2] || ends[3] || ends[8], "a chain or a mixed request was cut")
		require.True(t, ends[7] && ends[9] && ends[11], "an event that must end a request does not")
		cuts[len(rebatched)] = true
	}
	require.Greater(t, len(cuts), 2, "always the same cut")
}

// A request is sent again only if that surely changes nothing.
func TestIdempotentResend(t *testing.T) {
	t.Parallel()
	const linked = ledger.TransferLinked
	created, failed := ledger.TransferCreated.String(), ledger.TransferLinkedEventFailed.String()
	event := func(id, pending uint64, flags ledger.TransferFlags) ledger.Transfer {
		return ledger.Transfer{ID: ledger.NewID(id, 0), PendingID: ledger.NewID(pending, 0), Flags: flags}
	}
	r := &resendRun{remainingUses: map[ledger.ID]int{ledger.NewID(9, 0): 1}}
	for _, c := range []struct {
		transfers []ledger.Transfer
		statuses  []string
		neutral   bool
	}{
		{[]ledger.Transfer{event(1, 0, 0)}, []string{created}, true},
		{[]ledger.Transfer{event(9, 0, 0)}, []string{created}, true},
		{[]ledger.Transfer{event(1, 0, 0)}, []string{"exceeds_credits"}, true},
		{[]ledger.Transfer{event(1, 0, 0)}, []string{"overflows_debits"}, false},
		{[]ledger.Transfer{event(1, 0, linked), event(2, 0, 0)}, []string{created, created}, true},
		{[]ledger.Transfer{event(1, 0, linked), event(2, 0, 0)}, []string{failed, "exists"}, true},
		{[]ledger.Transfer{event(9, 0, linked), event(2, 0, 0)}, []string{failed, "exists"}, false},
		{[]ledger.Transfer{event(1, 0, linked), event(9, 0, 0)}, []string{"exists", failed}, true},
		{[]ledger.Transfer{event(1, 0, linked), event(2, 1, 0)}, []string{failed, "exceeds_pending_transfer_amount"}, false},
		{[]ledger.Transfer{event(1, 0, linked), event(2, 0, 0), event(9, 0, 0)}, []string{failed, "exists", created}, true},
	} {
		require.Equal(t, c.neutral, r.isIdempotent(&sentRequest{transfers: c.transfers, statuses: c.statuses}), "%v", c)
	}
}
