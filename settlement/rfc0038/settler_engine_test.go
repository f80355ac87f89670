package rfc0038_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/transfers"
)

// connector is a connector with peers, whose packets go through a recorder, and that settles through an engine.
type connector struct {
	t        *testing.T
	ledger   ledger.Ledger
	book     *accounts.Book
	ids      *rfc0038.AccountIDs
	recorder *transfers.Recorder
	own      accounts.PeerAccount
	peers    []accounts.PeerAccount
	url      string

	settler *rfc0038.Settler
	engine  *settlement.Engine
}

func newConnector(t *testing.T, url string, names ...string) *connector {
	t.Helper()
	return newConnectorOn(t, embedded.New(), url, names...)
}

func newConnectorOn(t *testing.T, l ledger.Ledger, url string, names ...string) *connector {
	t.Helper()
	c := &connector{t: t, ledger: l, url: url}
	var err error
	c.book, err = accounts.NewBook(c.ledger, accounts.Config{Assets: []accounts.Asset{usd9}})
	require.NoError(t, err)
	var configs []accounts.PeerConfig
	for _, name := range names {
		configs = append(configs, accounts.PeerConfig{ID: name, Asset: usd9})
	}
	c.peers, err = c.book.Provision(t.Context(), configs...)
	require.NoError(t, err)
	c.own, err = c.book.OwnAccount(usd9)
	require.NoError(t, err)
	c.ids, err = rfc0038.NewAccountIDs(c.book, nil)
	require.NoError(t, err)
	c.recorder, err = transfers.NewRecorder(c.ledger, c.book, transfers.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.recorder.Close(t.Context())) })
	c.start()
	return c
}

// start starts a process: all memory besides the ledger is new.
func (c *connector) start() {
	c.t.Helper()
	var err error
	c.settler, err = rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: newClient(c.t, c.url), IDs: c.ids, EngineScales: accounts.Rules[*uint8]{Default: new(uint8(6))},
	})
	require.NoError(c.t, err)
	rail := c.settler.Rail("")
	rail.BreakerThreshold = 1 << 20
	policy := settlement.Threshold{SettleThreshold: ledger.NewAmount(5000), SettleTo: ledger.NewAmount(100)}
	c.engine, err = settlement.NewEngine(c.ledger, c.book, settlement.Config{
		Rails: settlement.Rails{Default: rail}, Events: c.settler.Watch(settlement.Events{}),
		Policies: settlement.Policies{Default: settlement.AtLeast{Amount: c.settler.UnitOf("", usd9), Of: policy}},
		Manual:   true, OrderCooldown: 1, RetryInitialInterval: 1, RetryMaxInterval: 1,
	})
	require.NoError(c.t, err)
}

// restart ends the process and starts the next one.
func (c *connector) restart() {
	c.t.Helper()
	_ = c.engine.Close(c.t.Context()) // orders may be open
	c.start()
}

// earn has a peer deliver a packet.
func (c *connector) earn(peer accounts.PeerAccount, units uint64) {
	c.t.Helper()
	_, err := c.recorder.Forward(c.t.Context(), transfers.Packet{From: c.own, To: peer, In: units, Out: units})
	require.NoError(c.t, err)
}

// check compares the books with the engine's record.
func (c *connector) check(e *modelEngine) {
	c.t.Helper()
	for _, peer := range c.peers {
		b, err := c.book.Balance(c.t.Context(), peer)
		require.NoError(c.t, err)
		require.True(c.t, b.Settling.IsZero(), "an order of %v is open", peer)
		wire, err := c.ids.WireID(peer)
		require.NoError(c.t, err)
		require.Equal(c.t, e.paidTo(c.t, wire, usd9.Scale).String(), b.SettledOut.String(), "%v", peer)
		sum, ok := b.SettledOut.Add(b.Payable)
		require.True(c.t, ok)
		require.Equal(c.t, b.Earned, sum, "%v: earned is paid or owed", peer)
	}
}

// The order is in the ledger, pending, when its key is sent: before the first request.
func TestKeyIsStoredBeforeItIsSent(t *testing.T) {
	t.Parallel()
	e := newModelEngine(t, rand.New(rand.NewPCG(1, 1)))
	c := newConnector(t, e.URL, "alice")
	e.onKey = func(key string) {
		id, err := ledger.ParseID(key)
		if err != nil {
			t.Errorf("key %q: %v", key, err)
			return
		}
		rows, err := c.ledger.LookupTransfers(t.Context(), []ledger.ID{id})
		if err != nil || len(rows) != 1 || !rows[0].Flags.Has(ledger.TransferPending) {
			t.Errorf("key %q: rows %v, %v", key, rows, err)
		}
	}
	c.earn(c.peers[0], 1_234_567)
	payments, err := c.engine.Settle(t.Context(), c.peers...)
	require.NoError(t, err)
	require.Len(t, payments, 1)
	require.Equal(t, []string{payments[0].Order.ID.String()}, e.arrivedKeys())
	require.Equal(t, ledger.NewAmount(1_234_000), payments[0].Paid, "down to 100, in millionths")
	c.check(e)
	require.NoError(t, c.engine.Close(t.Context()))
}

// A process that dies without the answer leaves an order that the next process asks for under the same key.
func TestLostAnswerSurvivesRestart(t *testing.T) {
	t.Parallel()
	for _, conflicts := range []bool{false, true} {
		e := newModelEngine(t, rand.New(rand.NewPCG(1, 1)))
		e.conflicts = conflicts
		c := newConnector(t, e.URL, "alice")
		require.NoError(t, c.settler.CreateAccount(t.Context(), c.peers[0]))
		c.earn(c.peers[0], 7000)
		lost := &lossyEngine{modelEngine: e}
		c.url = lost.start(t)
		c.restart()
		_, err := c.engine.Settle(t.Context(), c.peers...)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		c.url = e.URL
		c.restart()
		payments, err := c.engine.Settle(t.Context(), c.peers...)
		keys := e.arrivedKeys()
		require.Len(t, keys, 2)
		require.Equal(t, keys[0], keys[1])
		if !conflicts {
			require.NoError(t, err)
			require.Len(t, payments, 1)
			c.check(e)
			require.NoError(t, c.engine.Close(t.Context()))
			continue
		}
		require.ErrorIs(t, err, rfc0038.ErrKeySeen)
		open, err := c.engine.Orders(t.Context(), c.peers...)
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.ErrorIs(t, open[0].LastErr, rfc0038.ErrStuck)
		_, err = c.engine.Resolve(t.Context(), c.peers[0], open[0].ID, ledger.NewAmount(6000))
		require.NoError(t, err)
		require.Empty(t, c.settler.Stuck())
		c.check(e)
		require.NoError(t, c.engine.Close(t.Context()))
	}
}

// An order that another process has paid leaves no unanswered key behind: the age of the oldest would grow for ever, and
// the account could never be deleted. An open order is kept.
func TestOrderPaidByAnotherProcessIsForgotten(t *testing.T) {
	t.Parallel()
	_, _, url := newDroppingEngine(t)
	c := newConnector(t, url, "alice")
	c.earn(c.peers[0], 7000)
	_, err := c.engine.Settle(t.Context(), c.peers...)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	first := c.settler
	require.NoError(t, first.ForgetClosed(t.Context(), c.engine))
	require.Equal(t, 1, first.Stats().Unanswered)
	c.restart()
	_, err = c.engine.Settle(t.Context(), c.peers...)
	require.NoError(t, err)
	require.ErrorIs(t, first.DeleteAccount(t.Context(), c.peers[0]), rfc0038.ErrKeyOpen)
	require.NoError(t, first.ForgetClosed(t.Context(), c.engine))
	require.Zero(t, first.Stats().Unanswered)
	require.Zero(t, first.Stats().OldestUnanswered)
	require.NoError(t, first.DeleteAccount(t.Context(), c.peers[0]))
	require.NoError(t, first.ForgetClosed(t.Context(), c.engine), "nothing to look up")
}

// After an error it is unknown whether an order is open: it is kept.
func TestForgetClosedKeepsOrdersAfterAnError(t *testing.T) {
	t.Parallel()
	_, _, url := newDroppingEngine(t)
	c := newConnector(t, url, "alice")
	c.earn(c.peers[0], 7000)
	_, err := c.engine.Settle(t.Context(), c.peers...)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	ended, end := context.WithCancel(t.Context())
	end()
	require.Error(t, c.settler.ForgetClosed(ended, c.engine))
	require.Equal(t, 1, c.settler.Stats().Unanswered)
}

// The settlement engine calls the rail again and again by itself, under the same key, and not at all for a
// settlement that waits for an operator.
func TestEngineRetriesByItself(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, created, answerRaw(""), status(500), status(201), status(409))
	c := newConnector(t, e.URL, "alice")
	require.NoError(t, c.engine.Close(t.Context()))
	paid, failed := make(chan settlement.Payment, 10), make(chan error, 1000)
	engine, err := settlement.NewEngine(c.ledger, c.book, settlement.Config{
		Rails:    settlement.Rails{Default: c.settler.Rail("")},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5000)}},
		Events:   settlement.Events{Paid: func(p settlement.Payment) { paid <- p }, Failed: func(err error) { failed <- err }},

		RetryInitialInterval: time.Millisecond, RetryMaxInterval: 5 * time.Millisecond, CheckCooldown: time.Millisecond, SweepInterval: time.Hour,
	})
	require.NoError(t, err)
	c.earn(c.peers[0], 9000)
	engine.Enqueue(c.peers)
	p := <-paid
	require.Equal(t, ledger.NewAmount(9000), p.Paid)
	require.Len(t, failed, 2)
	for _, r := range e.take()[1:] {
		require.Equal(t, p.Order.ID.String(), r.header.Get("Idempotency-Key"))
	}
	c.earn(c.peers[0], 8000)
	for range 20 {
		_, err = engine.Settle(t.Context(), c.peers...)
		require.ErrorIs(t, err, rfc0038.ErrKeySeen)
	}
	require.Len(t, e.take(), 1, "a parked settlement is not sent again")
	require.Len(t, failed, 2, "and is no failure")
	var open *settlement.OpenOrdersError
	require.ErrorAs(t, engine.Close(t.Context()), &open)
}

// Random lost, late and repeated requests and answers, accounts that the engine forgets, and restarts of ours:
// the engine pays each order once, and the books show what it paid. PEERLEDGER_RFC0038_EXCHANGES sets the
// number of requests.
func TestRandomFaultsPayOnce(t *testing.T) {
	t.Parallel()
	exchanges := 4000
	if text := os.Getenv("PEERLEDGER_RFC0038_EXCHANGES"); text != "" {
		var err error
		exchanges, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for name, conflicts := range map[string]bool{"repeats get 201": false, "repeats get 409": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var total int
			for program := 1; total < exchanges/2; program++ {
				t.Run(fmt.Sprint("program ", program), func(t *testing.T) { total += runProgram(t, conflicts) })
			}
			t.Log("exchanges", total)
		})
	}
}

// runProgram runs a random program on a new ledger and a new engine, and returns the number of requests.
func runProgram(t *testing.T, conflicts bool) (exchanges int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 38))
	e := newModelEngine(t, rand.New(rand.NewPCG(seed, 39)))
	e.conflicts = conflicts
	c := newConnector(t, e.URL, "alice", "g.bob-2", "carol")
	for range 5 {
		c.runRandomly(e, random)
		e.finish()
		c.settleAll(e)
		c.check(e)
	}
	require.NoError(t, c.engine.Close(t.Context()))
	return e.countExchanges()
}

// runRandomly trades and settles with faults.
func (c *connector) runRandomly(e *modelEngine, random *rand.Rand) {
	c.t.Helper()
	e.setFaulty(true)
	for range 50 {
		peer := c.peers[random.IntN(len(c.peers))]
		switch random.IntN(10) {
		case 0:
			c.restart()
		case 1, 2, 3:
			c.earn(peer, 1+random.Uint64N(20_000))
		case 4:
			_ = c.settler.CreateAccount(c.t.Context(), peer)
		case 5:
			_, _ = c.settler.Wake(c.t.Context(), peer)
		default:
			_, _ = c.engine.Settle(c.t.Context(), c.peers...)
		}
	}
}

// settleAll settles without faults until no order is open. The operator looks parked settlements up at the
// engine: what the engine has is paid, what it does not have is sent again.
func (c *connector) settleAll(e *modelEngine) {
	c.t.Helper()
	for range 100 {
		_, _ = c.engine.Settle(c.t.Context(), c.peers...)
		open, err := c.engine.Orders(c.t.Context(), c.peers...)
		require.NoError(c.t, err)
		if len(open) == 0 {
			return
		}
		for _, o := range open {
			wire, err := c.ids.WireID(o.Account)
			require.NoError(c.t, err)
			q, paid := e.paidFor(wire, o.ID.String())
			forgot := errors.Is(o.LastErr, rfc0038.ErrEngineForgot)
			if forgot && !paid {
				require.NoError(c.t, c.settler.Retry(o.ID))
				continue
			}
			if errors.Is(o.LastErr, ledger.ErrOutcomeUnknown) { // a second answer to an earlier request: asked again
				continue
			}
			require.True(c.t, (e.conflicts || forgot) && paid, "order %v: %v", o.ID, o.LastErr)
			units, _ := q.Split(usd9.Scale)
			_, err = c.engine.Resolve(c.t.Context(), o.Account, o.ID, ledger.ClampAmount(units))
			require.NoError(c.t, err)
		}
	}
	require.Fail(c.t, "orders stay open")
}
