package transfers_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// forgetful loses the answer to the next transfers once it is told to.
type forgetful struct {
	ledger.Ledger
	lose bool
}

func (l *forgetful) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	if err == nil && l.lose {
		l.lose = false
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

// seldom is a recorder under a cap of 100 units that looks at the ledger once an hour,
// and another connector's.
type seldom struct {
	*fixture
	ledger  *forgetful
	another *transfers.Recorder
	poor    accounts.PeerAccount // its line is of 1
}

func newSeldom(t *testing.T, limits accounts.Rules[accounts.Limits]) *seldom {
	t.Helper()
	f := &fixture{embedded: embedded.New()}
	s := &seldom{fixture: f, ledger: &forgetful{Ledger: f.embedded}}
	var err error
	f.book, err = accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{usd}, Limits: limits, SuspensionPollInterval: time.Hour})
	require.NoError(t, err)
	handles, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)},
		accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "carol", Asset: usd, CreditLine: units(1)})
	require.NoError(t, err)
	f.alice, f.bob, s.poor = handles[0], handles[1], handles[2]
	f.recorder, err = transfers.NewRecorder(s.ledger, f.book, transfers.Config{})
	require.NoError(t, err)
	s.another, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
	require.NoError(t, err)
	for _, r := range []*transfers.Recorder{f.recorder, s.another} { // both look, and nothing is held
		held, err := r.Prepare(t.Context(), f.packet(1, 1))
		require.NoError(t, err)
		_, err = r.Reject(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	return s
}

// lateForward is booked although the sender's line does not cover it.
func (s *seldom) lateForward(t *testing.T) {
	t.Helper()
	done, err := s.recorder.Forward(t.Context(), transfers.Packet{From: s.poor, To: s.bob, In: 100, Out: 100})
	require.NoError(t, err)
	require.True(t, done.Late)
}

// lostForward is booked, and found to be booked already when it is sent again.
func (s *seldom) lostForward(t *testing.T) {
	t.Helper()
	s.ledger.lose = true
	done, err := s.recorder.Forward(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, done.Outcome)
}

// rejectOthers takes all that the cap allows, and then rejects a packet of another connector
// that was not there at the last look.
func (s *seldom) rejectOthers(t *testing.T) {
	t.Helper()
	others, err := s.another.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Reject(t.Context(), others.Packet)
	require.NoError(t, err)
}

// fulfillOthers is the same with a fulfill.
func (s *seldom) fulfillOthers(t *testing.T) {
	t.Helper()
	others, err := s.another.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Prepare(t.Context(), s.packet(100, 100))
	require.NoError(t, err)
	_, err = s.recorder.Fulfill(t.Context(), others.Packet)
	require.NoError(t, err)
}

// Between two looks, a recorder's own packets never exceed a cap, whatever becomes of them.
func TestOwnPacketsNeverExceedACap(t *testing.T) {
	t.Parallel()
	payable, held := capOf(100, ""), capOf(0, "0.1")
	for name, c := range map[string]struct {
		limits accounts.Rules[accounts.Limits]
		full   func(*seldom, *testing.T)
		reason error
	}{
		"payable, a forward is booked late":         {payable, (*seldom).lateForward, transfers.ErrPayableCap},
		"payable, the answer to a forward is lost":  {payable, (*seldom).lostForward, transfers.ErrPayableCap},
		"payable, another's packet is rejected":     {payable, (*seldom).rejectOthers, transfers.ErrPayableCap},
		"payable, another's packet is fulfilled":    {payable, (*seldom).fulfillOthers, transfers.ErrPayableCap},
		"held share, another's packet is rejected":  {held, (*seldom).rejectOthers, transfers.ErrInFlightShare},
		"held share, another's packet is fulfilled": {held, (*seldom).fulfillOthers, transfers.ErrInFlightShare},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSeldom(t, c.limits)
			c.full(s, t)
			_, err := s.recorder.Prepare(t.Context(), s.packet(100, 100))
			require.ErrorIs(t, err, c.reason)
			require.NoError(t, s.recorder.Close(t.Context()))
			require.NoError(t, s.another.Close(t.Context()))
		})
	}
}
