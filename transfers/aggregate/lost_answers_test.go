package aggregate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// forgetfulLedger executes each request, and loses the first and the third answer of each kind.
type forgetfulLedger struct {
	ledger.Ledger

	calls map[string]int // by kind; one goroutine at a time uses it
	isOn  bool
}

// answer returns the answer, or an error instead.
func answer[R any](l *forgetfulLedger, kind string, results []R, err error) ([]R, error) {
	if l.isOn {
		if l.calls[kind]++; l.calls[kind] == 1 || l.calls[kind] == 3 {
			return nil, errLost
		}
	}
	return results, err
}

func (l *forgetfulLedger) CreateAccounts(ctx context.Context, events []ledger.Account) ([]ledger.CreateAccountResult, error) {
	results, err := l.Ledger.CreateAccounts(ctx, events)
	return answer(l, "accounts", results, err)
}

func (l *forgetfulLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, events)
	kind := "round"
	switch first := events[0]; {
	case first == ledger.Transfer{}:
		kind = "size"
	case first.Flags == ledger.TransferPending:
		kind = "top-up"
	case first.Flags == ledger.TransferVoidPending:
		kind = "void"
	}
	return answer(l, kind, results, err)
}

func (l *forgetfulLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	results, err := l.Ledger.LookupAccounts(ctx, ids)
	return answer(l, "look-up of accounts", results, err)
}

func (l *forgetfulLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	results, err := l.Ledger.LookupTransfers(ctx, ids)
	return answer(l, "look-up of transfers", results, err)
}

func (l *forgetfulLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	results, err := l.Ledger.QueryTransfers(ctx, filter)
	return answer(l, "query", results, err)
}

// Answers of each kind of request are lost, also while a recorder starts and closes. All is booked once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	l := &forgetfulLedger{Ledger: embedded.New(), calls: map[string]int{}}
	f := newFixture(t, l, 1000)
	l.isOn = true
	var arrears []aggregate.Charge
	open := func() *aggregate.Recorder {
		return f.open(t, func(c *aggregate.Config) {
			c.Events.Round = func(r aggregate.Round) { arrears = append(arrears, r.Arrears...) }
		})
	}
	r := open()
	prepare := func(from, to int, amount uint64) transfers.Packet {
		t.Helper()
		held, err := r.Prepare(t.Context(), f.packet(from, to, amount, amount))
		require.NoError(t, err)
		return held.Packet
	}
	fulfill := func(p transfers.Packet) {
		t.Helper()
		_, err := r.Fulfill(t.Context(), p)
		require.NoError(t, err)
	}
	fulfill(prepare(0, 1, 600))
	forgotten := prepare(0, 1, 400)
	unused := prepare(1, 2, 50)
	abandoned, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Close(abandoned), context.Canceled)
	r = open() // adopts the reservations, and voids the one of an unknown packet
	fulfill(unused)
	fulfill(forgotten)
	fulfill(forgotten)
	late := f.packet(2, 0, 1500, 1500)
	late.ID = ledger.NewID(1<<8, 5)
	_, err := r.Forward(t.Context(), late)
	require.NoError(t, err)
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	for _, kind := range []string{"accounts", "size", "top-up", "void", "round", "look-up of accounts", "look-up of transfers", "query"} {
		require.GreaterOrEqual(t, l.calls[kind], 2, "an answer to a request of kind %q is lost, and one is not", kind)
	}
	l.isOn = false
	figures := f.figures(t)
	require.Equal(t, "owed 500 owes 0 arrears 0 sent 1000 earned 1500 held 0", figures[f.peers[0].String()])
	require.Equal(t, "owed 950 owes 0 arrears 0 sent 50 earned 1000 held 0", figures[f.peers[1].String()])
	require.Equal(t, "owed 0 owes 1450 arrears 450 sent 1500 earned 50 held 0", figures[f.peers[2].String()])
	require.NotEmpty(t, arrears)
}
