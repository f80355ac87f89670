package aggregate

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// withoutRounds is a ledger that loses rounds.
type withoutRounds struct {
	ledger.Ledger

	on    atomic.Bool
	asked chan struct{}
}

func (l *withoutRounds) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	for i := range events {
		if events[i].Code == chart.CodeFee && l.on.Load() {
			select {
			case l.asked <- struct{}{}:
			default:
			}
			return nil, ledger.ErrOutcomeUnknown
		}
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// A row of another round under the last attempt's id is no answer to the attempt: the recorder stops, and books
// nothing.
func TestForeignRowUnderTheLastAttempt(t *testing.T) {
	t.Parallel()
	l := &withoutRounds{Ledger: embedded.New(), asked: make(chan struct{}, 1)}
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: asset, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: asset})
	require.NoError(t, err)
	cfg := Config{JournalFolder: filepath.Join(t.TempDir(), "journal"), RoundInterval: time.Millisecond}
	r, err := NewRecorder(t.Context(), l, book, cfg)
	require.NoError(t, err)
	held, err := r.Prepare(t.Context(), transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9, Expiry: time.Now().Add(30 * time.Second)})
	require.NoError(t, err)
	l.on.Store(true)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	<-l.asked
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, r.Close(ended))
	l.on.Store(false)

	content, err := ReadJournal(cfg.JournalFolder)
	require.NoError(t, err)
	require.Positive(t, content.OpenRound)
	open := round{journal: content.Number, number: content.OpenRound, attempt: content.OpenAttempt}
	own, _ := book.AssetIDs(asset.Ledger)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: open.legID(book, 0), DebitAccountID: own.Liquidity, CreditAccountID: own.Revenue,
		Amount: ledger.NewAmount(1), Ledger: 1, Code: chart.CodeRound,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	_, err = NewRecorder(t.Context(), l, book, cfg)
	require.ErrorIs(t, err, ErrStopped)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.True(t, balance.Payable.IsZero())
}

// A round whose reservations were all gone has no legs. CheckLedger finds an old journal behind it, as a
// recorder does.
func TestOldJournalBehindARoundWithoutLegs(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: asset})
	require.NoError(t, err)
	content := JournalContent{Namespace: book.Namespace(), Number: 7, Round: 5}
	require.NoError(t, content.CheckLedger(t.Context(), l))
	later := round{journal: 7, number: 7}
	own, _ := book.AssetIDs(asset.Ledger)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: later.legID(book, 0), DebitAccountID: own.Liquidity, CreditAccountID: own.Revenue,
		Amount: ledger.NewAmount(1), Ledger: 1, Code: chart.CodeRound,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	require.ErrorIs(t, content.CheckLedger(t.Context(), l), ErrOldJournal)
}
