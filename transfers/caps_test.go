package transfers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// answerLosingLedger loses the answer to the next CreateTransfers if losesNext is set.
type answerLosingLedger struct {
	ledger.Ledger
	losesNext bool
}

func (l *answerLosingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	if err == nil && l.losesNext {
		l.losesNext = false
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

// rarelyRefreshed is a recorder with a cap of 100 units that refreshes once an hour, and the
// recorder of another connector.
type rarelyRefreshed struct {
	*fixture
	ledger        *answerLosingLedger
	otherRecorder *transfers.Recorder
	poor          accounts.PeerAccount // with a line of 1
}

func newRarelyRefreshed(t *testing.T, limits accounts.Rules[accounts.Limits]) *rarelyRefreshed {
	t.Helper()
	f := &fixture{embedded: embedded.New()}
	s := &rarelyRefreshed{fixture: f, ledger: &answerLosingLedger{Ledger: f.embedded}}
	var err error
	f.book, err = accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{usd}, Limits: limits, SuspensionPollInterval: time.Hour})
	require.NoError(t, err)
	handles, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)},
		accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "carol", Asset: usd, CreditLine: units(1)})
	require.NoError(t, err)
	f.alice, f.bob, s.poor = handles[0], handles[1], handles[2]
	f.recorder, err = transfers.NewRecorder(s.ledger, f.book, transfers.Config{})
	require.NoError(t, err)
	s.otherRecorder, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
	require.NoError(t, err)
	for _, r := range []*transfers.Recorder{f.recorder, s.otherRecorder} { // both read the peers, with nothing held
		held, err := r.Prepare(t.Context(), f.packet(1, 1))
		require.NoError(t, err)
		_, err = r.Reject(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	return s
}

// lateForward books a forward beyond the sender's line.
func (s *rarelyRefreshed) lateForward(t *testing.T) {
	t.Helper()
	done, err := s.recorder.Forward(t.Context(), transfers.Packet{From: s.poor, To: s.bob, In: 100, Out: 100})
	require.NoError(t, err)
	require.True(t, done.Late)
}

// lostForward books a forward whose answer is lost: the second request finds it booked.
func (s *rarelyRefreshed) lostForward(t *testing.T) {
	t.Helper()
	s.ledger.losesNext = true
	done, err := s.recorder.Forward(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, done.Outcome)
}

// rejectOthers uses up the cap, and then rejects a packet of the other connector that is
// younger than the last read.
func (s *rarelyRefreshed) rejectOthers(t *testing.T) {
	t.Helper()
	others, err := s.otherRecorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Reject(t.Context(), others.Packet)
	require.NoError(t, err)
}

// fulfillOthers does the same with a fulfill.
func (s *rarelyRefreshed) fulfillOthers(t *testing.T) {
	t.Helper()
	others, err := s.otherRecorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Fulfill(t.Context(), others.Packet)
	require.NoError(t, err)
}

// Between two refreshes a recorder's own packets never exceed a cap, with any outcome.
func TestOwnPacketsNeverExceedACap(t *testing.T) {
	t.Parallel()
	payable, held := capSettings(100, ""), capSettings(0, "0.1")
	for name, c := range map[string]struct {
		limits accounts.Rules[accounts.Limits]
		full   func(*rarelyRefreshed, *testing.T)
		reason error
	}{
		"payable, a forward is booked late":         {payable, (*rarelyRefreshed).lateForward, transfers.ErrPayableCap},
		"payable, the answer to a forward is lost":  {payable, (*rarelyRefreshed).lostForward, transfers.ErrPayableCap},
		"payable, another's packet is rejected":     {payable, (*rarelyRefreshed).rejectOthers, transfers.ErrPayableCap},
		"payable, another's packet is fulfilled":    {payable, (*rarelyRefreshed).fulfillOthers, transfers.ErrPayableCap},
		"held share, another's packet is rejected":  {held, (*rarelyRefreshed).rejectOthers, transfers.ErrInFlightShare},
		"held share, another's packet is fulfilled": {held, (*rarelyRefreshed).fulfillOthers, transfers.ErrInFlightShare},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRarelyRefreshed(t, c.limits)
			c.full(s, t)
			_, err := s.recorder.Prepare(t.Context(), s.packet(100, 100))
			require.ErrorIs(t, err, c.reason)
			require.NoError(t, s.recorder.Close(t.Context()))
			require.NoError(t, s.otherRecorder.Close(t.Context()))
		})
	}
}

// blockedReads is a ledger whose look-ups block until unblocked is closed.
type blockedReads struct {
	ledger.Ledger
	unblocked chan struct{}
}

func (l *blockedReads) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	select {
	case <-l.unblocked:
		return l.Ledger.LookupAccounts(ctx, ids)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The wait for the first read of a peer's balance ends with the context, or with the recorder.
func TestWaitingForTheFirstRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &blockedReads{Ledger: embedded.New(), unblocked: make(chan struct{})}
		book, err := accounts.NewBook(l.Ledger, accounts.Config{Assets: []accounts.Asset{usd}, Limits: capSettings(100, "")})
		require.NoError(t, err)
		peers, err := book.Provision(t.Context(),
			accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
		require.NoError(t, err)
		blindBook, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, Limits: capSettings(100, "")})
		require.NoError(t, err)
		recorder, err := transfers.NewRecorder(l, blindBook, transfers.Config{})
		require.NoError(t, err)
		packet := transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1, Hold: time.Minute}
		errStop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		answers := make(chan error)
		go func() {
			_, err := recorder.Submit(ctx, transfers.PrepareOp(packet))
			answers <- err
		}()
		synctest.Wait()
		cancel(errStop)
		err = <-answers
		require.ErrorIs(t, err, transfers.ErrLimitsNotLoaded)
		require.ErrorIs(t, err, errStop)

		go func() {
			_, err := recorder.Submit(t.Context(), transfers.PrepareOp(packet))
			answers <- err
		}()
		synctest.Wait()
		require.NoError(t, recorder.Close(t.Context()))
		require.ErrorIs(t, <-answers, transfers.ErrRecorderClosed)
		require.NoError(t, l.Close())
	})
}
