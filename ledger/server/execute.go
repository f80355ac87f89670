package server

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
)

// run runs an operation with the batches of a request.
type run func(ctx context.Context, l ledger.Ledger, request batches) (reply, error)

// reply is the result of a run.
type reply struct {
	batches

	// timestamp is the timestamp of the last event of a create request, or 0 if the ledger did not
	// tell: no event, or an event that existed before.
	timestamp uint64
}

// errUnsupported is returned when the ledger does not have the operation.
var errUnsupported = errors.New("server: the ledger does not have the operation")

func runCreateAccounts(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runCreate(request, func(a *ledger.Account) eventFlags {
		return eventFlags{a.Flags.Has(ledger.AccountLinked), a.Flags.Has(ledger.AccountImported)}
	}, uint32(ledger.AccountExists), func(accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
		return l.CreateAccounts(ctx, accounts)
	})
}

func runCreateTransfers(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runCreate(request, func(t *ledger.Transfer) eventFlags {
		return eventFlags{t.Flags.Has(ledger.TransferLinked), t.Flags.Has(ledger.TransferImported)}
	}, uint32(ledger.TransferExists), func(transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
		return l.CreateTransfers(ctx, transfers)
	})
}

// eventFlags are the flags by which an event depends on its neighbours in a request.
type eventFlags struct{ linked, imported bool }

// runCreate creates the events of all batches. Batches are independent: no chain goes on into the
// next batch, and each batch may import or not. Neighbouring batches without such events become
// one request of the ledger, so that a request of many small batches is fast.
func runCreate[E, R any](request batches, flagsOf func(*E) eventFlags, exists uint32, create func([]E) ([]R, error)) (reply, error) {
	events := unsafecast.Records[E](request.elements)
	var all []R
	var timestamp uint64
	for next, end := 0, 0; next < len(request.counts); {
		start := end
		for merge := true; merge; next++ {
			batch := events[end : end+request.counts[next]]
			end += len(batch)
			merge = next+1 < len(request.counts) &&
				!dependsOnNext(batch, flagsOf) && !hasImported(nextBatch(events, end, request.counts[next+1]), flagsOf)
		}
		results, err := create(events[start:end])
		if err != nil {
			return reply{}, err
		}
		timestamp = max(timestamp, newestTimestamp(results, exists))
		if all == nil {
			all = results
		} else {
			all = append(all, results...)
		}
	}
	return reply{batches{unsafecast.Bytes(all), request.counts}, timestamp}, nil
}

// newestTimestamp returns the timestamp of the last event of a create request, or 0 if no result
// tells. Events have successive timestamps. A result has that of its event unless the event existed
// before.
func newestTimestamp[R any](of []R, exists uint32) uint64 {
	results := unsafecast.Records[ledger.CreateTransferResult](unsafecast.Bytes(of)) // those of accounts have the same layout
	for i := len(results) - 1; i >= 0; i-- {
		if uint32(results[i].Status) != exists {
			return results[i].Timestamp + uint64(len(results)-1-i)
		}
	}
	return 0
}

func nextBatch[E any](events []E, start, count int) []E { return events[start : start+count] }

// dependsOnNext reports whether the results of a batch would depend on the batch after it in the
// same request.
func dependsOnNext[E any](batch []E, flagsOf func(*E) eventFlags) bool {
	return len(batch) > 0 && flagsOf(&batch[len(batch)-1]).linked || hasImported(batch, flagsOf)
}

func hasImported[E any](batch []E, flagsOf func(*E) eventFlags) bool {
	for i := range batch {
		if flagsOf(&batch[i]).imported {
			return true
		}
	}
	return false
}

// sparse returns the run of an operation of release 0.16: its reply has only the events that were
// not created, with their positions in their batches.
func sparse(create run) run {
	return func(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
		dense, err := create(ctx, l, request)
		answer := reply{batches{counts: make([]int, len(request.counts))}, dense.timestamp}
		results := unsafecast.Records[ledger.CreateTransferResult](dense.elements) // those of accounts have the same layout and the same number for created
		next := 0
		for batch, n := range dense.counts {
			for i := range n {
				if status := results[next].Status; status != ledger.TransferCreated {
					answer.elements = binary.LittleEndian.AppendUint32(answer.elements, uint32(i))
					answer.elements = binary.LittleEndian.AppendUint32(answer.elements, uint32(status))
					answer.counts[batch]++
				}
				next++
			}
		}
		return answer, err
	}
}

func runLookupAccounts(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runLookup(request, func(ids []ledger.ID) ([]ledger.Account, error) { return l.LookupAccounts(ctx, ids) },
		func(a *ledger.Account) ledger.ID { return a.ID })
}

func runLookupTransfers(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runLookup(request, func(ids []ledger.ID) ([]ledger.Transfer, error) { return l.LookupTransfers(ctx, ids) },
		func(t *ledger.Transfer) ledger.ID { return t.ID })
}

// runLookup looks the ids of all batches up in one request. The rows come in the order of the ids,
// without rows for unknown ids.
func runLookup[R any](request batches, lookUp func([]ledger.ID) ([]R, error), idOf func(*R) ledger.ID) (reply, error) {
	ids := unsafecast.Records[ledger.ID](request.elements)
	rows, err := lookUp(ids)
	answer := reply{batches: batches{unsafecast.Bytes(rows), make([]int, len(request.counts))}}
	for batch, n := range request.counts {
		for _, id := range ids[:n] {
			if len(rows) > 0 && idOf(&rows[0]) == id {
				rows = rows[1:]
				answer.counts[batch]++
			}
		}
		ids = ids[n:]
	}
	return answer, err
}

func runGetAccountTransfers(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runFilters(request, func(f ledger.AccountFilter) ([]ledger.Transfer, error) {
		f.Limit = min(f.Limit, ledger.QueryMax)
		return l.GetAccountTransfers(ctx, f)
	})
}

func runGetAccountBalances(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runFilters(request, func(f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
		f.Limit = min(f.Limit, ledger.QueryMax)
		return l.GetAccountBalances(ctx, f)
	})
}

func runQueryAccounts(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runFilters(request, func(f ledger.QueryFilter) ([]ledger.Account, error) {
		f.Limit = min(f.Limit, ledger.QueryMax)
		return l.QueryAccounts(ctx, f)
	})
}

func runQueryTransfers(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	return runFilters(request, func(f ledger.QueryFilter) ([]ledger.Transfer, error) {
		f.Limit = min(f.Limit, ledger.QueryMax)
		return l.QueryTransfers(ctx, f)
	})
}

func runGetChangeEvents(ctx context.Context, l ledger.Ledger, request batches) (reply, error) {
	feed, has := l.(ledger.ChangeFeed)
	if !has {
		return reply{}, errUnsupported
	}
	return runFilters(request, func(f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
		f.Limit = min(f.Limit, ledger.ChangeEventsMax)
		return feed.GetChangeEvents(ctx, f)
	})
}

// runFilters runs a query for each filter.
func runFilters[F, R any](request batches, query func(F) ([]R, error)) (answer reply, err error) {
	for _, filter := range unsafecast.Records[F](request.elements) {
		rows, err := query(filter)
		if err != nil {
			return reply{}, err
		}
		answer.elements = append(answer.elements, unsafecast.Bytes(rows)...)
		answer.counts = append(answer.counts, len(rows))
	}
	return answer, nil
}
