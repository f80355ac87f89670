package bench

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func TestDelayedLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const delay = 5 * time.Millisecond
		l := delayed{Ledger: embedded.New(), delay: delay}
		m, err := newWorkload(t.Context(), l, "", 2, 1)
		require.NoError(t, err)
		run := &rawRun{traffic: m.newTraffic(uniformTraffic), phase: phaseSingle}
		one := []ledger.Transfer{run.newFirstTransfer(0)}

		began := time.Now()
		for range 3 { // at the same time: requests do not wait for each other
			go func() {
				_, err := l.LookupTransfers(t.Context(), []ledger.ID{one[0].ID})
				assert.NoError(t, err)
			}()
		}
		require.NoError(t, connection(l.CreateTransfers).createNew(t.Context(), one))
		synctest.Wait()
		require.Equal(t, delay, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), delay/5)
		defer cancel()
		two := []ledger.Transfer{run.newFirstTransfer(1)}
		_, err = l.CreateTransfers(ctx, two)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, delay+delay/5, time.Since(began))
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{two[0].ID})
		require.NoError(t, err)
		require.Len(t, found, 1, "it had been handed over")

		_, err = l.CreateTransfers(t.Context(), make([]ledger.Transfer, ledger.BatchMax+1))
		require.ErrorIs(t, err, ledger.ErrTooMuchData)
		require.NoError(t, l.Close())
	})
}

func TestStalledLedger(t *testing.T) {
	t.Parallel()
	l := stalled{Ledger: embedded.New(), release: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.CreateTransfers(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
	close(l.release)
	_, err = l.CreateTransfers(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// losingTarget is a target with connections that lose a transfer or report a refusal.
type losingTarget struct {
	embeddedTarget
	call func(connection, context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error)
}

func (s losingTarget) prepareTarget(ctx context.Context, sessions int) (preparedTarget, error) {
	st, err := s.embeddedTarget.prepareTarget(ctx, sessions)
	for i, conn := range st.connections {
		st.connections[i] = func(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
			return s.call(conn, ctx, events)
		}
	}
	return st, err
}

// A run that lost a transfer ends with an error, even if every answer was good.
func TestLossesAreFound(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	type events = []ledger.Transfer
	type results = []ledger.CreateTransferResult
	tests := map[string]struct {
		call func(connection, context.Context, events) (results, error)
		want error
	}{
		"not written": {func(_ connection, _ context.Context, e events) (results, error) {
			answers := make(results, len(e))
			for i := range answers {
				answers[i].Status = ledger.TransferCreated
			}
			return answers, nil
		}, errBooks},
		"written twice": {func(s connection, ctx context.Context, e events) (results, error) {
			answers, err := s(ctx, e)
			again := append(events{}, e...)
			for i := range again {
				again[i].ID.Hi ^= 1 << 63
				if again[i].Flags.Has(ledger.TransferPostPending) {
					again[i] = ledger.Transfer{}
				}
			}
			_, _ = s(ctx, again)
			return answers, err
		}, errBooks},
		"refused": {func(s connection, ctx context.Context, e events) (results, error) {
			e[len(e)-1].Code = 0
			return s(ctx, e)
		}, errBooks},
		"too few answers": {func(s connection, ctx context.Context, e events) (results, error) {
			answers, err := s(ctx, e)
			return answers[:max(0, len(answers)-1)], err
		}, errBooks},
		"an error": {func(connection, context.Context, events) (results, error) { return nil, away }, away},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts, err := parseOptions([]string{"-packets", "50", "-callers", "3", "-peers", "3"}, nil)
			require.NoError(t, err)
			b := newBencher(opts, losingTarget{embeddedTarget{opts}, test.call})
			for _, m := range makePlan(opts) {
				if _, err := b.measureOnce(t.Context(), m); m.mode.isRaw() {
					require.ErrorIs(t, err, test.want, m)
				} else {
					require.NoError(t, err, m)
				}
			}
		})
	}
}

// lastingTarget keeps one ledger for all measurements. Its books add up over all of them.
type lastingTarget struct{ l *embedded.Ledger }

func (s lastingTarget) prepareTarget(_ context.Context, sessions int) (preparedTarget, error) {
	st := preparedTarget{ledger: s.l, batchMax: 7, closePrepared: func() error { return nil }}
	for range sessions {
		st.connections = append(st.connections, s.l.CreateTransfers)
	}
	return st, nil
}

func (s lastingTarget) closeTarget() error { return s.l.Close() }

func TestLedgerThatStays(t *testing.T) {
	t.Parallel()
	opts, err := parseOptions(append([]string{"-axes", "all"}, smallRun...), nil)
	require.NoError(t, err)
	l := embedded.New()
	for range 2 { // the second run has other accounts
		b := newBencher(opts, lastingTarget{l})
		_, err = b.measureRounds(t.Context(), makePlan(opts), progress.Progress{})
		require.NoError(t, err)
		require.Len(t, b.workloads, 2)
	}
	require.NoError(t, l.Close())
}

func TestIDsGrow(t *testing.T) {
	t.Parallel()
	var ids idSource
	last := ledger.ID{}
	for range 10_000 {
		id := ids.nextID()
		require.Positive(t, id.Compare(last))
		last = id
	}
	require.InDelta(t, time.Now().UnixMilli(), last.Hi>>16, 60_000)
}

func TestTraffic(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 1000} {
		require.Equal(t, drawUniform(n, 7), drawUniform(n, 7))
		require.NotEqual(t, drawUniform(n, 7), drawUniform(n, 8))
		for _, p := range drawUniform(n, 7) {
			require.NotEqual(t, p.from, p.to)
			require.Less(t, max(p.from, p.to), int32(n))
		}
		require.Equal(t, drawZipf(n, 7), drawZipf(n, 7))
		sent := make([]int, n)
		for _, p := range drawZipf(n, 7) {
			if p.from == p.to {
				require.Fail(t, "a packet from a peer to itself")
			}
			sent[p.from]++
		}
		require.Equal(t, slices.Max(sent), sent[0], "the first peer sends most")
		require.Len(t, drawZipf(n, 7), countPairs(n))
		for _, p := range drawHot(n, 7) {
			require.NotEqual(t, p.from, p.to)
			require.Zero(t, min(p.from, p.to))
			require.Less(t, max(p.from, p.to), int32(n))
		}
	}
}

// The recorder and the calls without it write equal rows, apart from ids and the hash of the legs.
func TestRowsAreTheSame(t *testing.T) {
	t.Parallel()
	for _, p := range []phase{phaseSingle, phaseTwo} {
		rows := func(w mode) []ledger.Transfer {
			opts, err := parseOptions([]string{"-packets", "5", "-peers", "3"}, nil)
			require.NoError(t, err)
			l := embedded.New()
			b := newBencher(opts, lastingTarget{l})
			b.namespace = "same"
			base := newBaseScenario(opts, p)
			base.lanes = 1
			_, err = b.measureOnce(t.Context(), measurement{scenario: base, mode: w, callers: 1})
			require.NoError(t, err)
			all, err := l.QueryTransfers(t.Context(), ledger.QueryFilter{Code: chart.CodePacket, Limit: ledger.QueryMax})
			require.NoError(t, err)
			require.NoError(t, b.closeTargets())
			for i := range all {
				require.Equal(t, all[i].Flags.Has(ledger.TransferPostPending), !all[i].PendingID.IsZero())
				require.False(t, all[i].UserData128.IsZero())
				require.NotZero(t, all[i].UserData32)
				all[i].ID, all[i].PendingID, all[i].Timestamp = ledger.ID{}, ledger.ID{}, 0
				all[i].UserData128, all[i].UserData32 = uint128.Zero, 0
			}
			return all
		}
		want := rows(modeRecord)
		require.Len(t, want, 5*int(p.countOperations()))
		require.Equal(t, want, rows(modeSingle))
		require.ElementsMatch(t, want, rows(modeBatched))
		require.ElementsMatch(t, want, rows(modeSubmit))
	}
}
