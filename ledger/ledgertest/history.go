package ledgertest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// History configures [RunHistory].
type History struct {
	Seed   uint64
	Events int // transfers to send, at least
	// Restart restarts the second ledger, which answers again when Restart returns. It is called
	// Restarts times, evenly spread.
	Restart  func()
	Restarts int
	// Programs is the number of programs of [RunDifferential] in between, evenly spread.
	Programs int
	// Expiries is how often holds expire: each time takes a second and a half in real time.
	Expiries int
}

// The sizes of requests and answers: few enough rows for a server started with --development.
const (
	historyRequest  = 240
	historyRows     = 200
	historyChanges  = 80
	historyAccounts = 64
)

// RunHistory sends a long row of random transfers to two ledgers and compares the answers, as
// [RunDifferential] does: statuses, all fields, the order of all timestamps, look-ups, queries in
// both directions, history and change events. Transfers refer to others of any age: they post and
// void them, and repeat them with the same or with other fields. In the end all rows are read and
// compared.
//
// The ledgers must be empty, and RunHistory the only writer. Both must implement
// [ledger.ChangeFeed].
func RunHistory(tb testing.TB, first, second ledger.Ledger, cfg History) {
	tb.Helper()
	counts := newCoverage()
	h := &history{
		History: cfg, tb: tb, random: rand.New(rand.NewPCG(cfg.Seed, 1<<63)), times: timestampMap{},
		first: newTestSubject(first), second: newTestSubject(second).withCoverage(counts),
	}
	require.NotNil(tb, h.first.feed)
	require.NotNil(tb, h.second.feed)
	h.createAccounts(h.drawFirstAccounts())
	restarts, programs, expiries := every(cfg.Events, cfg.Restarts), every(cfg.Events, cfg.Programs), every(cfg.Events, cfg.Expiries)
	steps, logged := 0, every(cfg.Events, 10)
	for h.sent < cfg.Events {
		before := h.sent
		h.createTransfers(h.drawRequest())
		for range h.random.IntN(4) {
			h.compareRead()
		}
		if steps++; steps%50 == 0 {
			h.createAccounts(h.drawAccounts(1 + h.random.IntN(5)))
		}
		if restarts.isDue(before, h.sent) {
			cfg.Restart()
		}
		if programs.isDue(before, h.sent) {
			RunDifferential(tb, first, second, h.random.Uint64())
		}
		if expiries.isDue(before, h.sent) {
			h.letHoldsExpire()
		}
		if logged.isDue(before, h.sent) {
			tb.Logf("%d events", h.sent)
		}
	}
	h.compareEverything()
	tb.Log(counts.reportCounts("the history"))
}

// interval is a number of events.
type interval int

// every returns the interval at which something happens count times within so many events.
func every(events, count int) interval {
	if count == 0 {
		return 0
	}
	return interval(max(1, events/count))
}

func (n interval) isDue(before, after int) bool {
	return n > 0 && before/int(n) != after/int(n)
}

// history is the run of random transfers on two ledgers.
type history struct {
	History
	tb            testing.TB
	random        *rand.Rand
	first, second *subject
	times         timestampMap // from the first ledger to the second
	seen          []uint64     // timestamps of the first ledger, some of each request

	sent     int    // transfers
	next     uint64 // number of the next new transfer
	accounts uint64 // drawn so far
	expired  uint64 // rounds of letHoldsExpire so far
}

func (h *history) createAccounts(events []ledger.Account) {
	h.tb.Helper()
	want, err := h.first.CreateAccounts(h.tb.Context(), slices.Clone(events))
	require.NoError(h.tb, err)
	got, err := h.second.CreateAccounts(h.tb.Context(), events)
	require.NoError(h.tb, err)
	requirePaired(h.tb, h.times, want, got, "accounts", func(r *ledger.CreateAccountResult) []*uint64 { return []*uint64{&r.Timestamp} })
}

// createTransfers sends a request to both ledgers and compares the results.
func (h *history) createTransfers(events []ledger.Transfer) {
	h.tb.Helper()
	want, err := h.first.CreateTransfers(h.tb.Context(), slices.Clone(events))
	require.NoError(h.tb, err, "after %d events", h.sent)
	got, err := h.second.CreateTransfers(h.tb.Context(), events)
	require.NoError(h.tb, err, "after %d events", h.sent)
	require.Len(h.tb, got, len(want))
	for i := range want {
		require.Equal(h.tb, want[i].Status.String(), got[i].Status.String(), "after %d events, event %d: %+v", h.sent, i, events[i])
	}
	requirePaired(h.tb, h.times, want, got, "results", func(r *ledger.CreateTransferResult) []*uint64 { return []*uint64{&r.Timestamp} })
	h.seen = append(h.seen, want[h.random.IntN(len(want))].Timestamp)
	h.sent += len(events)
}

// letHoldsExpire makes holds, ends some of them at once, and lets the others expire. Half of the
// times the second ledger restarts meanwhile.
func (h *history) letHoldsExpire() {
	h.tb.Helper()
	events := h.drawExpiringHolds()
	h.createTransfers(events)
	since := h.seen[len(h.seen)-1]
	if h.Restart != nil && h.expired%2 == 0 {
		h.Restart()
	}
	h.first.sleepFor(h.tb, sleepDuration)
	if h.second.sleeper != nil || h.first.sleeper != nil {
		h.second.sleepFor(h.tb, sleepDuration)
	}
	h.expired++
	ask := func(s *subject, from uint64) []ledger.ChangeEvent {
		return s.readChangesSince(h.tb, from)
	}
	requirePaired(h.tb, h.times, ask(h.first, since), ask(h.second, h.times.translateTime(since)), "expiries", changeTimePointers)
	h.compareAllAccounts()
}

// compareEverything reads all rows of both ledgers.
func (h *history) compareEverything() {
	h.tb.Helper()
	h.compareAllAccounts()
	rows := comparePages(h, transferTimestamp, transferTimePointers, func(s *subject, from uint64) ([]ledger.Transfer, error) {
		return s.QueryTransfers(h.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: historyRows})
	})
	changes := comparePages(h, changeTimestamp, changeTimePointers, func(s *subject, from uint64) ([]ledger.ChangeEvent, error) {
		return s.feed.GetChangeEvents(h.tb.Context(), ledger.ChangeEventsFilter{TimestampMin: from, Limit: historyChanges})
	})
	balances := 0
	for n := range uint64(8) {
		filter := filterBothSides(historyAccountID(n))
		filter.Limit = historyRows
		balances += comparePages(h, balanceTimestamp, balanceTimePointers, func(s *subject, from uint64) ([]ledger.AccountBalance, error) {
			filter.TimestampMin = from
			return s.GetAccountBalances(h.tb.Context(), filter)
		})
	}
	require.NoError(h.tb, h.times.checkOrder())
	h.tb.Logf("%d events: compared %d transfers, %d change events, %d balances", h.sent, rows, changes, balances)
	require.NotZero(h.tb, rows)
	require.NotZero(h.tb, balances)
}

func balanceTimestamp(b *ledger.AccountBalance) uint64 { return b.Timestamp }

func (h *history) compareAllAccounts() {
	h.tb.Helper()
	comparePages(h, accountTimestamp, accountTimePointers, func(s *subject, from uint64) ([]ledger.Account, error) {
		return s.QueryAccounts(h.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: historyRows})
	})
}

// comparePages reads both ledgers page by page, and returns the number of rows.
func comparePages[T comparable](
	h *history, timestamp func(*T) uint64, timesOf func(*T) []*uint64, read func(s *subject, from uint64) ([]T, error),
) (rows int) {
	h.tb.Helper()
	from, ours := uint64(0), uint64(0)
	for {
		want, err := read(h.first, from)
		require.NoError(h.tb, err)
		got, err := read(h.second, ours)
		require.NoError(h.tb, err)
		requirePaired(h.tb, h.times, want, got, "everything", timesOf)
		if len(want) == 0 {
			return rows
		}
		rows += len(want)
		from, ours = nextPageTime(h.tb, timestamp, from, want), nextPageTime(h.tb, timestamp, ours, got)
	}
}
