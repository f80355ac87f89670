//go:build cgo

package cluster

import (
	"context"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// The first attempt of a repeated request may have been executed. TigerBeetle's answers to the
// second attempt show it for every event outside of a linked chain. An applied chain answers exists
// for its first member and linked_event_failed for the rest, which looks like a refusal. Therefore
// all members of such a chain are looked up, and answer exists if every member is stored as sent.

// chainSpan is a linked chain of a request: the members from to to-1.
type chainSpan struct{ from, to int }

// findAppliedChains returns the chains of two or more members that an earlier attempt seems to have
// applied: the first member exists, and all others failed with it.
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

// setExists sets the status exists for all members of a chain if every member is stored as sent.
// stored reports whether one member is, and the stored timestamp.
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

// lookUpByID looks up the objects stored under the ids. If the look-up fails, the outcome of the
// request is unknown.
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

// reconcileTransfers corrects the results of a repeated request in place, and returns the results.
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
			ids = append(ids, t.ID, t.PendingID) // PendingID may be 0, which finds no transfer
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

// reconcileAccounts corrects the results of a repeated request in place, and returns the results.
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
