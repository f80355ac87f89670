//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// With any cause of a context, the error matches the one true class and no other.
func TestOneClassOfError(t *testing.T) {
	t.Parallel()
	classes := []error{ledger.ErrOutcomeUnknown, ledger.ErrTooMuchData, ledger.ErrClosed}
	own := errors.New("a sibling failed")
	for _, class := range classes {
		synctest.Test(t, func(t *testing.T) {
			s := newServers()
			l := openFake(t, s, Config{})
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(fmt.Errorf("%w: %w", own, class))
			err := l.Ping(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, own)
			for _, c := range classes {
				require.NotErrorIs(t, err, c, "not sent")
			}

			ctx, cancel = context.WithCancelCause(t.Context())
			s.setFate(func(*fakeClient) fate {
				cancel(fmt.Errorf("%w: %w", own, class))
				return fate{before: make(chan struct{})}
			})
			err = l.Ping(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, own)
			for i, c := range classes {
				require.Equal(t, i == 0, errors.Is(err, c), "sent: %v", c)
			}
		})
	}
}

// An error of the second attempt does not decide the outcome of the first.
func TestSecondAttemptIsTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		requests := 0
		s.setFate(func(*fakeClient) fate {
			if requests++; requests == 1 {
				return fate{lost: tb.ErrClientEvicted, apply: true}
			}
			return fate{lost: tb.ErrTooMuchData}
		})
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10, 0)})
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, ledger.ErrTooMuchData)
		s.setFate(nil)
		found, err := s.ledger.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(10, 0)})
		require.NoError(t, err)
		require.Len(t, found, 1)
	})
}

// The recorder never reports a packet in the books as refused, however the ledger ends.
func TestRecorderOnALedgerThatEnds(t *testing.T) {
	t.Parallel()
	for _, closes := range []bool{false, true} {
		s := newServers()
		l := openFake(t, s, Config{CloseTimeout: -1})
		usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
		book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		peers, err := book.Provision(t.Context(),
			accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
		require.NoError(t, err)
		r, err := transfers.NewRecorder(l, book, transfers.Config{})
		require.NoError(t, err)
		sent := make(chan struct{})
		s.setFate(func(*fakeClient) fate {
			if !closes {
				return fate{lost: tb.ErrClientReleaseTooHigh, apply: true}
			}
			close(sent)
			return fate{before: make(chan struct{})}
		})
		ticket, err := r.Submit(t.Context(), transfers.ForwardOp(transfers.Packet{From: peers[0], To: peers[1], In: 4, Out: 4}))
		require.NoError(t, err)
		if closes {
			<-sent
			require.NoError(t, l.Close())
		}
		result := ticket.Wait(t.Context())
		require.Equal(t, ledger.OutcomeUnknown, result.Outcome)
		require.ErrorIs(t, result.Err, ledger.ErrOutcomeUnknown)
		_ = r.Close(t.Context()) // the future has returned the operation's error
	}
}
