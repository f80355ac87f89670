package export_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

var (
	nano = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1, AllowLoss: true}
	atto = accounts.Asset{Code: "USD", Scale: 18, Ledger: 2}
	yen  = accounts.Asset{Code: "JPY", Scale: 0, Ledger: 3}
)

// peerNames are ids that a table has to quote, among them.
var peerNames = []string{"alice", `b"o,b`, "c\r\nd", "peer#1", "日本:x"}

// world is books with events of every kind, made through the library.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	ledger  ledger.Ledger
	book    *accounts.Book
	peers   []accounts.PeerAccount
	packets *transfers.Recorder
	engine  *settlement.Engine
	clock   atomic.Int64 // nanoseconds that the clock is ahead
	still   bool         // the clock is the machine's: the ledger has no other
	events  int
	paid    ledger.Amount // more than the order, by the rail
	done    map[string]int
}

// newWorld makes a world on an embedded ledger, whose clock advances by hours.
func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t}
	l := embedded.New(embedded.WithClock(w.now))
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	w.openBooks(l, seed)
	return w
}

// openBooks opens books on a ledger.
func (w *world) openBooks(l ledger.Ledger, seed uint64) {
	t := w.t
	t.Helper()
	t.Log("seed", seed)
	w.ledger, w.rng, w.done = l, rand.New(rand.NewPCG(seed, 1)), map[string]int{}
	var err error
	w.book, err = accounts.NewBook(w.ledger, accounts.Config{
		Namespace: "n", Assets: []accounts.Asset{nano, atto, yen}, SuspensionPollInterval: time.Nanosecond,
	})
	require.NoError(t, err)
	require.NoError(t, w.book.EnsureTransit(t.Context()))
	w.addPeers(peerNames[:3]...)
	w.packets, err = transfers.NewRecorder(w.ledger, w.book, transfers.Config{AllowArrears: true, Clock: w.now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.packets.Close(context.Background())) })
	w.engine, err = settlement.NewEngine(w.ledger, w.book, settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(w.payOrder)}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(50)}},
		Manual:   true, OrderCooldown: time.Nanosecond, Clock: w.now,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.engine.Close(context.Background())) })
}

// advance advances the clock.
func (w *world) advance(by time.Duration) {
	if !w.still {
		w.clock.Add(int64(by))
	}
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

// payOrder pays an order in full, in part or beyond.
func (w *world) payOrder(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	paid, _ := o.Amount.Add(w.paid)
	return paid, nil
}

func (w *world) addPeers(names ...string) {
	w.t.Helper()
	var list []accounts.PeerConfig
	for _, name := range names {
		for _, asset := range w.book.Assets() {
			list = append(list, accounts.PeerConfig{ID: name, Asset: asset, CreditLine: ledger.NewAmount(uint64(w.rng.IntN(3)) * 500)})
		}
	}
	handles, err := w.book.Provision(w.t.Context(), list...)
	require.NoError(w.t, err)
	w.peers = append(w.peers, handles...)
}

// book books n random events. The books may refuse an event.
func (w *world) bookEvents(n int) {
	w.t.Helper()
	for range n {
		w.events++
		w.advance(time.Duration(w.rng.IntN(int(2 * time.Hour))))
		a := w.peers[w.rng.IntN(len(w.peers))]
		key, amount := fmt.Sprint("key ", w.events), ledger.NewAmount(uint64(w.rng.IntN(400)+1))
		name, run := w.pickEvent(a, key, amount)
		err := run(w.t.Context())
		require.NotErrorIs(w.t, err, ledger.ErrOutcomeUnknown)
		if err == nil {
			w.done[name]++
		}
	}
}

// pickEvent picks a random event.
func (w *world) pickEvent(a accounts.PeerAccount, key string, amount ledger.Amount) (string, func(context.Context) error) {
	asset, _ := w.book.Asset(a.Ledger())
	switch w.rng.IntN(16) {
	case 0:
		return "receive", func(ctx context.Context) error {
			_, err := w.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: a, Key: key, Amount: amount})
			return err
		}
	case 1:
		return "return", func(ctx context.Context) error {
			_, err := w.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: a, Key: key, Amount: amount})
			if err == nil {
				_, err = w.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: a, Key: "back " + key, Payment: key, Amount: amount})
			}
			return err
		}
	case 2:
		return "pay by hand", func(ctx context.Context) error {
			_, err := w.engine.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: a, Key: key, Amount: amount, BeyondHeadroom: true})
			return err
		}
	case 3:
		return "voucher", func(ctx context.Context) error {
			_, err := w.engine.RecordVoucher(ctx, settlement.Voucher{Account: a, Channel: key, Cumulative: amount})
			return err
		}
	case 4:
		return "settle", func(ctx context.Context) error {
			w.paid = ledger.NewAmount(uint64(w.rng.IntN(2) * 30))
			_, err := w.engine.Settle(ctx, a)
			return err
		}
	case 5:
		return "adjust", func(ctx context.Context) error {
			adjustment := accounts.Adjustment{Account: a, Key: key, Debit: amount, ReasonCode: 3, BeyondHeadroom: true}
			if w.rng.IntN(2) == 0 {
				adjustment.Debit, adjustment.Credit, adjustment.ConditionTag = ledger.Amount{}, amount, [8]byte{1, 2}
			}
			_, err := w.book.Adjust(ctx, adjustment)
			return err
		}
	case 6:
		return "write off", func(ctx context.Context) error {
			_, err := w.book.Adjust(ctx, accounts.Adjustment{Account: a, Key: "debt " + key, Debit: ledger.NewAmount(2000), ReasonCode: 3, BeyondHeadroom: true})
			if err != nil {
				return err
			}
			_, err = w.book.WriteOff(ctx, accounts.WriteOff{Account: a, Key: key, Amount: amount, ReasonCode: 4})
			return err
		}
	case 7:
		return "capital", func(ctx context.Context) error {
			_, err := w.book.Fund(ctx, accounts.Capital{Asset: asset, Key: key, Amount: amount, ReasonCode: 5})
			if err == nil && w.rng.IntN(2) == 0 {
				_, err = w.book.Withdraw(ctx, accounts.Capital{Asset: asset, Key: key, Amount: ledger.NewAmount(1)})
			}
			return err
		}
	case 8:
		return "line", func(ctx context.Context) error {
			_, err := w.book.SetCreditLine(ctx, a, amount)
			return err
		}
	case 9:
		return "close and release", func(ctx context.Context) error { return w.closePeer(ctx, a, key, amount) }
	default:
		return "packet", func(ctx context.Context) error { return w.sendPacket(ctx, a) }
	}
}

// closePeer closes a peer, has it pay, reopens it and gives the payment back.
func (w *world) closePeer(ctx context.Context, a accounts.PeerAccount, key string, amount ledger.Amount) error {
	err := w.book.ClosePeer(ctx, a, accounts.WithForce(), accounts.WithReasonCode(9))
	if err == nil {
		_, err = w.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: a, Key: key, Amount: amount})
	}
	if reopened := w.book.ReopenPeer(ctx, a); err == nil {
		err = reopened
	}
	if err == nil {
		_, err = w.engine.Release(ctx, a)
	}
	return errors.Join(err, w.book.ResumePeer(ctx, a))
}

// sendPacket sends a packet to another account, maybe in another asset, late, or rejected.
func (w *world) sendPacket(ctx context.Context, from accounts.PeerAccount) error {
	to := w.peers[w.rng.IntN(len(w.peers))]
	fromAsset, _ := w.book.Asset(from.Ledger())
	toAsset, _ := w.book.Asset(to.Ledger())
	in := uint64(w.rng.IntN(300) + 1)
	p := transfers.Packet{From: from, To: to, In: in, Out: in - in/20, Hold: time.Minute, Condition: [32]byte{byte(in), 7}}
	if fromAsset != toAsset {
		rate, err := accounts.NewConverter(fromAsset, toAsset, decimal.New(int64(w.rng.IntN(90)+10), int32(fromAsset.Scale)-int32(toAsset.Scale)-1))
		require.NoError(w.t, err)
		if p.Out, p.Dust, err = rate.ConvertPacket(in); err != nil {
			return err
		}
	}
	if w.rng.IntN(8) == 0 {
		_, err := w.packets.Forward(ctx, p)
		return err
	}
	held, err := w.packets.Prepare(ctx, p)
	if err != nil {
		return err
	}
	if w.rng.IntN(4) == 0 {
		w.advance(time.Hour)
	}
	if w.rng.IntN(5) == 0 {
		_, err = w.packets.Reject(ctx, held.Packet)
	} else {
		_, err = w.packets.Fulfill(ctx, held.Packet)
	}
	return err
}

// bookRounds books packets in rounds.
func (w *world) bookRounds(packets int) {
	w.t.Helper()
	book, err := accounts.NewBook(w.ledger, accounts.Config{Namespace: "n", Assets: w.book.Assets(), SuspensionPollInterval: 20 * time.Millisecond}) // which leaves time for rounds
	require.NoError(w.t, err)
	recorder, err := aggregate.NewRecorder(w.t.Context(), w.ledger, book, aggregate.Config{
		JournalFolder: filepath.Join(w.t.TempDir(), "journal"), AllowArrears: true, Clock: w.now,
	})
	require.NoError(w.t, err)
	for range packets {
		from, to := w.peers[w.rng.IntN(len(w.peers))], w.peers[w.rng.IntN(len(w.peers))]
		in := uint64(w.rng.IntN(30) + 1)
		p := transfers.Packet{From: from, To: to, In: in, Out: in - in/10, Expiry: w.now().Add(time.Minute)}
		if from.Ledger() != to.Ledger() {
			p.Out, p.Dust = 3, in/2
		}
		held, err := recorder.Prepare(w.t.Context(), p)
		if err == nil {
			_, err = recorder.Fulfill(w.t.Context(), held.Packet)
			require.NoError(w.t, err)
			w.done["round packet"]++
		}
	}
	require.NoError(w.t, errors.Join(recorder.Close(w.t.Context())))
}
