package ledgertest

import (
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// compareRead sends a random look-up or query to both ledgers and compares the answers.
func (h *history) compareRead() {
	h.tb.Helper()
	switch h.random.IntN(7) {
	case 0:
		ids := h.drawIDs()
		compareAnswers(h, transferTimePointers, ids, ids, func(s *subject) func([]ledger.ID) ([]ledger.Transfer, error) {
			return func(ids []ledger.ID) ([]ledger.Transfer, error) { return s.LookupTransfers(h.tb.Context(), ids) }
		})
	case 1:
		ids := []ledger.ID{drawAccount(h.random), drawAccount(h.random), drawAccount(h.random)}
		compareAnswers(h, accountTimePointers, ids, ids, func(s *subject) func([]ledger.ID) ([]ledger.Account, error) {
			return func(ids []ledger.ID) ([]ledger.Account, error) { return s.LookupAccounts(h.tb.Context(), ids) }
		})
	case 2:
		filter, ours := h.drawAccountFilter()
		compareAnswers(h, transferTimePointers, filter, ours, func(s *subject) func(ledger.AccountFilter) ([]ledger.Transfer, error) {
			return func(f ledger.AccountFilter) ([]ledger.Transfer, error) {
				return s.GetAccountTransfers(h.tb.Context(), f)
			}
		})
	case 3:
		filter, ours := h.drawAccountFilter()
		compareAnswers(h, balanceTimePointers, filter, ours, func(s *subject) func(ledger.AccountFilter) ([]ledger.AccountBalance, error) {
			return func(f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
				return s.GetAccountBalances(h.tb.Context(), f)
			}
		})
	case 4:
		filter, ours := h.drawQueryFilter()
		compareAnswers(h, accountTimePointers, filter, ours, func(s *subject) func(ledger.QueryFilter) ([]ledger.Account, error) {
			return func(f ledger.QueryFilter) ([]ledger.Account, error) { return s.QueryAccounts(h.tb.Context(), f) }
		})
	case 5:
		filter, ours := h.drawQueryFilter()
		compareAnswers(h, transferTimePointers, filter, ours, func(s *subject) func(ledger.QueryFilter) ([]ledger.Transfer, error) {
			return func(f ledger.QueryFilter) ([]ledger.Transfer, error) { return s.QueryTransfers(h.tb.Context(), f) }
		})
	default:
		filter := ledger.ChangeEventsFilter{Limit: 1 + h.random.Uint32N(historyChanges)}
		filter.TimestampMin, filter.TimestampMax = h.drawTimes()
		ours := filter
		ours.TimestampMin, ours.TimestampMax = h.times.translateTime(filter.TimestampMin), h.times.translateTime(filter.TimestampMax)
		compareAnswers(h, changeTimePointers, filter, ours, func(s *subject) func(ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
			return func(f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
				return s.feed.GetChangeEvents(h.tb.Context(), f)
			}
		})
	}
}

// compareAnswers sends a request to the first ledger, and the same with the second ledger's
// timestamps to the second.
func compareAnswers[Q any, T comparable](
	h *history, timesOf func(*T) []*uint64, theirs, ours Q, asking func(*subject) func(Q) ([]T, error),
) {
	h.tb.Helper()
	want, err := asking(h.first)(theirs)
	require.NoError(h.tb, err)
	got, err := asking(h.second)(ours)
	require.NoError(h.tb, err)
	require.Len(h.tb, got, len(want), "after %d events: %+v", h.sent, theirs)
	requirePaired(h.tb, h.times, want, got, "read", timesOf)
}

// drawIDs draws ids of transfers of any age, and some that no transfer has.
func (h *history) drawIDs() []ledger.ID {
	ids := make([]ledger.ID, 1+h.random.IntN(60))
	for i := range ids {
		switch h.random.IntN(20) {
		case 0:
			ids[i] = historyID(h.next + h.random.Uint64N(100))
		case 1:
			ids[i] = expiringID(h.random.Uint64N(h.expired+1), h.random.Uint64N(40))
		default:
			ids[i] = historyID(h.drawNumber(h.next))
		}
	}
	return ids
}

// drawTimes draws a range of timestamps of the first ledger: 0 is no bound, and a few ranges are
// empty.
func (h *history) drawTimes() (low, high uint64) {
	draw := func() uint64 {
		if h.random.IntN(2) == 0 {
			return 0
		}
		return h.seen[h.random.IntN(len(h.seen))]
	}
	low, high = draw(), draw()
	if high != 0 && low > high && h.random.IntN(10) != 0 {
		low, high = high, low
	}
	return low, high
}

func (h *history) drawAccountFilter() (filter, ours ledger.AccountFilter) {
	filter = ledger.AccountFilter{
		AccountID: drawAccount(h.random), Limit: h.random.Uint32N(historyRows), Flags: ledger.AccountFilterFlags(h.random.Uint32N(8)),
	}
	filter.TimestampMin, filter.TimestampMax = h.drawTimes()
	if h.random.IntN(3) == 0 {
		filter.UserData64, filter.Code = h.random.Uint64N(4), uint16(h.random.IntN(5))
	}
	if h.random.IntN(6) == 0 {
		filter.UserData32 = h.random.Uint32N(50)
	}
	ours = filter
	ours.TimestampMin, ours.TimestampMax = h.times.translateTime(filter.TimestampMin), h.times.translateTime(filter.TimestampMax)
	return filter, ours
}

func (h *history) drawQueryFilter() (filter, ours ledger.QueryFilter) {
	filter = ledger.QueryFilter{Limit: h.random.Uint32N(historyRows), Flags: ledger.QueryFilterFlags(h.random.Uint32N(2))}
	filter.TimestampMin, filter.TimestampMax = h.drawTimes()
	for range h.random.IntN(3) {
		switch h.random.IntN(5) {
		case 0:
			filter.Ledger = h.random.Uint32N(4)
		case 1:
			filter.Code = uint16(h.random.IntN(6))
		case 2:
			filter.UserData32 = h.random.Uint32N(50)
		case 3:
			filter.UserData64 = h.random.Uint64N(2000)
		default:
			filter.UserData128 = uint128.From64(h.random.Uint64N(5000))
		}
	}
	ours = filter
	ours.TimestampMin, ours.TimestampMax = h.times.translateTime(filter.TimestampMin), h.times.translateTime(filter.TimestampMax)
	return filter, ours
}
