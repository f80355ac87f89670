//go:build cgo

package cluster

import (
	"context"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// A request that was sent again because its session was lost may have been executed by
// the first attempt. TigerBeetle's answers to the second one say so of each event, but for
// linked chains: a chain that was applied answers exists in its first member and
// linked_event_failed in all others. Who does not know that it was sent twice would read a
// refusal. So all members of such a chain are looked up, and answered as exists if they are
// stored as they were sent.

// chainSpan is a linked chain of a request, from its first member to behind its last.
type chainSpan struct{ from, to int }

// findAppliedChains are the chains of two and more that seem to have been applied by an earlier
// attempt: the first member exists, and all others failed with it.
func findAppliedChains(n int, linked, exists, failed func(i int) bool) (chains []chainSpan) {
	for from := 0; from < n; {
		to := from + 1
		for to < n && linked(to-1) {
			to++
		}
		applied := exists(from) && to > from+1
		for i := from + 1; i < to; i++ {
			applied = applied && failed(i)
		}
		if applied {
			chains = append(chains, chainSpan{from, to})
		}
		from = to
	}
	return chains
}

// setExists answers exists in all members of each chain whose members are all stored as they
// were sent. stored tells that of one member, with the timestamp that it has.
func setExists(chains []chainSpan, stored func(i int) (timestamp uint64, same bool), set func(i int, timestamp uint64)) {
	for _, c := range chains {
		allStored := true
		for i := c.from; i < c.to && allStored; i++ {
			_, allStored = stored(i)
		}
		for i := c.from; i < c.to && allStored; i++ {
			timestamp, _ := stored(i)
			set(i, timestamp)
		}
	}
}

// lookUpByID looks up what is stored under the ids. If it cannot be found out, nobody knows
// what became of the request that asks.
func lookUpByID[S any](
	ctx context.Context, ids []ledger.ID, lookup func(context.Context, []ledger.ID) ([]S, error), id func(*S) ledger.ID,
) (map[ledger.ID]*S, error) {
	found, err := batch.Each(ctx, ids, 1, lookup)
	if err != nil {
		return nil, wrapUnknown(err)
	}
	byID := make(map[ledger.ID]*S, len(found))
	for i := range found {
		byID[id(&found[i])] = &found[i]
	}
	return byID, nil
}

// reconcileTransfers mends the results of transfers that were sent again, in place, and returns
// them.
func (l *Ledger) reconcileTransfers(
	ctx context.Context, sent []ledger.Transfer, results []ledger.CreateTransferResult,
) ([]ledger.CreateTransferResult, error) {
	chains := findAppliedChains(len(sent),
		func(i int) bool { return sent[i].Flags.Has(ledger.TransferLinked) },
		func(i int) bool { return results[i].Status == ledger.TransferExists },
		func(i int) bool { return results[i].Status == ledger.TransferLinkedEventFailed })
	var ids []ledger.ID
	for _, c := range chains {
		for _, t := range sent[c.from:c.to] {
			ids = append(ids, t.ID, t.PendingID) // PendingID may be 0, which is nobody's
		}
	}
	byID, err := lookUpByID(ctx, ids, l.LookupTransfers, func(s *ledger.Transfer) ledger.ID { return s.ID })
	if err != nil {
		return nil, err
	}
	find := func(id ledger.ID) *ledger.Transfer { return byID[id] }
	setExists(chains, func(i int) (uint64, bool) {
		t := byID[sent[i].ID]
		if t == nil || (!t.PendingID.IsZero() && find(t.PendingID) == nil) || tbexists.CompareTransfer(&sent[i], t, find) != ledger.TransferExists {
			return 0, false
		}
		return t.Timestamp, true
	}, func(i int, timestamp uint64) {
		results[i] = ledger.CreateTransferResult{Timestamp: timestamp, Status: ledger.TransferExists}
	})
	return results, nil
}

// reconcileAccounts mends the results of accounts that were sent again, in place, and returns
// them.
func (l *Ledger) reconcileAccounts(
	ctx context.Context, sent []ledger.Account, results []ledger.CreateAccountResult,
) ([]ledger.CreateAccountResult, error) {
	chains := findAppliedChains(len(sent),
		func(i int) bool { return sent[i].Flags.Has(ledger.AccountLinked) },
		func(i int) bool { return results[i].Status == ledger.AccountExists },
		func(i int) bool { return results[i].Status == ledger.AccountLinkedEventFailed })
	var ids []ledger.ID
	for _, c := range chains {
		for _, a := range sent[c.from:c.to] {
			ids = append(ids, a.ID)
		}
	}
	byID, err := lookUpByID(ctx, ids, l.LookupAccounts, func(s *ledger.Account) ledger.ID { return s.ID })
	if err != nil {
		return nil, err
	}
	setExists(chains, func(i int) (uint64, bool) {
		a := byID[sent[i].ID]
		if a == nil || tbexists.CompareAccount(&sent[i], a) != ledger.AccountExists {
			return 0, false
		}
		return a.Timestamp, true
	}, func(i int, timestamp uint64) {
		results[i] = ledger.CreateAccountResult{Timestamp: timestamp, Status: ledger.AccountExists}
	})
	return results, nil
}
