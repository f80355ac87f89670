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

// shortAnswers leaves the last result out of the first answers.
type shortAnswers struct {
	ledger.Ledger
	cutAnswers int
}

func (l *shortAnswers) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, batch)
	if l.cutAnswers--; l.cutAnswers >= 0 && err == nil {
		return results[:len(results)-1], nil
	}
	return results, err
}

// An answer without a result for each transfer is an unknown outcome: the request is sent again.
func TestMissingAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &shortAnswers{Ledger: l, cutAnswers: 2} })
		held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, held.Outcome)
		_, err = f.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(90), f.position(t, f.bob))
		f.closeAndCheck(t)
	})
}

func TestNamesOfKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[transfers.Kind]string{
		0: "Kind(0)", transfers.KindPrepare: "prepare", transfers.KindFulfill: "fulfill",
		transfers.KindReject: "reject", transfers.KindForward: "forward", transfers.KindForward + 1: "Kind(5)",
	} {
		require.Equal(t, want, kind.String())
	}
}

func TestCodeOfErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		nil: "", transfers.ErrCreditLine: "T04", accounts.ErrPeerClosed: "T04", accounts.ErrSuspended: "T04",
		transfers.ErrInArrears: "T04", transfers.ErrPayableCap: "T04", transfers.ErrInFlightShare: "T04",
		transfers.ErrBacklogFull: "T03", transfers.ErrAmounts: "R01", transfers.ErrHoldTooShort: "R02",
		transfers.ErrLimitsNotLoaded: "T00", ledger.ErrOutcomeUnknown: "T00", errors.New("another"): "T00",
	} {
		require.Equal(t, want, transfers.ILPCode(err), "%v", err)
	}
}

func TestZeroFuture(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, transfers.Future{}.Journaled(t.Context()), transfers.ErrJournal)
}

func TestPacketOfAnUnknownAsset(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	eur := accounts.Asset{Code: "XXX", Scale: 2, Ledger: 77}
	other, err := accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", eur)
	require.NoError(t, err)
	for _, p := range []transfers.Packet{
		{From: foreign, To: f.bob, In: 1, Out: 1, Hold: time.Minute}, {From: f.alice, To: foreign, In: 1, Out: 1, Hold: time.Minute},
	} {
		_, err = f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	}
	f.closeAndCheck(t)
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
