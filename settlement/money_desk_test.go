package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// desk does to peers what a scenario says: packets through a recorder, everything else
// through an engine and a book. It knows the truth about each peer.
type desk struct {
	t        *testing.T
	ledger   *stopping // of the engine and the book
	cfg      accounts.Config
	policy   settlement.Policy
	own      accounts.PeerAccount
	recorder *transfers.Recorder
	book     *accounts.Book
	engine   *settlement.Engine
	bank     *bank
	number   int // of the last key
}

// purse is a peer in one asset, and what was done to it.
type purse struct {
	truth
	account  accounts.PeerAccount
	parked   int64 // of closed times, in suspense
	received []received
	voucher  uint64
	refund   bool             // an operator asked for it, and no order followed
	ordered  truth            // when the newest order was placed
	looked   chan roundResult // a round that look began
	goOn     chan struct{}    // lets it go on; nil if it placed no order
}

// received is a payment of a peer.
type received struct {
	key    string
	left   uint64 // of it did not come back
	parked bool
}

// newDesk has peers with a credit line each. Its accounts need history unless noHistory.
func newDesk(t *testing.T, l ledger.Ledger, cfg accounts.Config, policy settlement.Policy) *desk {
	t.Helper()
	cfg.Assets, cfg.SuspensionPollInterval = []accounts.Asset{usd}, 5*time.Millisecond
	d := &desk{t: t, ledger: &stopping{Ledger: l}, cfg: cfg, policy: policy, bank: &bank{paid: map[ledger.ID]uint64{}}}
	d.renew()
	own, err := d.book.OwnAccount(usd)
	require.NoError(t, err)
	d.own = own
	d.record(l)
	return d
}

// record starts a recorder on a ledger.
func (d *desk) record(l ledger.Ledger) {
	d.t.Helper()
	book, err := accounts.NewBook(l, d.cfg)
	require.NoError(d.t, err)
	d.recorder, err = transfers.NewRecorder(l, book, transfers.Config{Lanes: 1, MaxBacklog: 16, AllowArrears: true})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, d.recorder.Close(context.Background())) })
}

// renew takes a new book and a new engine, which remember nothing.
func (d *desk) renew() {
	d.t.Helper()
	d.book, d.engine = d.another("")
}

// another is an engine of an instance, and its book.
func (d *desk) another(instance string) (*accounts.Book, *settlement.Engine) {
	d.t.Helper()
	book, err := accounts.NewBook(d.ledger, d.cfg)
	require.NoError(d.t, err)
	engine, err := settlement.NewEngine(d.ledger, book, settlement.Config{
		Rails: railOf(d.bank), Policies: settlement.Policies{Default: d.policy}, Manual: true, Instance: instance,
		Lease: time.Hour, OrderCooldown: 1, RetryInitialInterval: 1,
		Clock: func() time.Time { return time.Now().Add(time.Second) }, // whatever was placed is past
		Events: settlement.Events{Voided: func(_ settlement.Order, err error) {
			d.bank.note(errors.Is(err, settlement.ErrWithdrawn))
		}},
	})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return book, engine
}

// peer provisions a peer.
func (d *desk) peer(name string, line uint64) *purse {
	d.t.Helper()
	handles, err := d.book.Provision(d.t.Context(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(line)})
	require.NoError(d.t, err)
	return &purse{account: handles[0]}
}

func (d *desk) key() string {
	d.number++
	return fmt.Sprint("key ", d.number)
}

func (d *desk) balance(p *purse) accounts.Balance {
	d.t.Helper()
	b, err := d.book.Balance(d.t.Context(), p.account)
	require.NoError(d.t, err)
	return b
}

// long is a hold that ends by a fulfill or a reject.
const long = time.Hour

// prepare holds a packet from a peer, or, with out, to it; ok is false if the ledger refused.
func (d *desk) prepare(from, to accounts.PeerAccount, n uint64, hold time.Duration) (packet transfers.Packet, ok bool) {
	d.t.Helper()
	packet = transfers.Packet{From: from, To: to, In: n, Out: n, Hold: hold}
	result, err := d.recorder.Prepare(d.t.Context(), packet)
	for range 100 {
		if !errors.Is(err, accounts.ErrSuspended) {
			break
		}
		// The recorder finds out within a round that the peer was opened again.
		pause(d.cfg.SuspensionPollInterval)
		result, err = d.recorder.Prepare(d.t.Context(), packet)
	}
	if errors.Is(err, transfers.ErrCreditLine) {
		return result.Packet, false
	}
	require.NoError(d.t, err)
	return result.Packet, true
}

func (d *desk) fulfill(packet transfers.Packet) (late bool) {
	d.t.Helper()
	result, err := d.recorder.Fulfill(d.t.Context(), packet)
	require.NoError(d.t, err)
	return result.Late
}

func (d *desk) reject(packet transfers.Packet) {
	d.t.Helper()
	_, err := d.recorder.Reject(d.t.Context(), packet)
	require.NoError(d.t, err)
}

// earns has a packet to the peer fulfilled.
func (d *desk) earns(p *purse, n uint64) {
	d.t.Helper()
	packet, ok := d.prepare(d.own, p.account, n, long)
	require.True(d.t, ok)
	require.False(d.t, d.fulfill(packet))
	p.earn(int64(n))
}

// sends has a packet from the peer fulfilled; ok is false if the ledger refuses it.
func (d *desk) sends(p *purse, n uint64) (ok bool) {
	d.t.Helper()
	packet, ok := d.prepare(p.account, d.own, n, long)
	if ok {
		require.False(d.t, d.fulfill(packet))
		p.send(int64(n))
	}
	return ok
}

// expire lets time pass until nothing is held of a peer.
func (d *desk) expire(p *purse) {
	d.t.Helper()
	for range 200 {
		b := d.balance(p)
		if b.HeldIn.IsZero() && b.HeldOut.IsZero() {
			return
		}
		pause(50 * time.Millisecond)
	}
	require.Fail(d.t, "the holds do not expire")
}

// receive reports whether the key was booked before.
func (d *desk) receive(p *purse, n uint64, key string) (already bool) {
	d.t.Helper()
	receipt, err := d.engine.RecordIncoming(d.t.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: units(n)})
	require.NoError(d.t, err)
	if !receipt.AlreadyBooked {
		p.received = append(p.received, received{key, n, receipt.InSuspense})
		p.come(n, receipt.InSuspense)
	}
	return receipt.AlreadyBooked
}

func (d *desk) receiveVoucher(p *purse, n uint64) {
	d.t.Helper()
	p.voucher += n
	receipt, err := d.engine.RecordVoucher(d.t.Context(), settlement.Voucher{
		Account: p.account, Channel: "channel", Cumulative: units(p.voucher),
	})
	require.NoError(d.t, err)
	require.Equal(d.t, units(n), receipt.Amount)
	p.come(n, receipt.InSuspense)
}

func (p *purse) come(n uint64, parked bool) {
	if parked {
		p.parked += int64(n)
	} else {
		p.in(int64(n))
	}
}

// returned has the newest payments come back that cover an amount, or the one that is named.
func (d *desk) returned(p *purse, n uint64, key string) {
	d.t.Helper()
	for i := len(p.received) - 1; i >= 0 && n > 0; i-- {
		payment := &p.received[i]
		part := min(n, payment.left)
		if part == 0 || key != "" && key != payment.key {
			continue
		}
		_, err := d.engine.RecordReturned(d.t.Context(), settlement.ReturnedPayment{
			Account: p.account, Key: d.key(), Payment: payment.key, Amount: units(part),
		})
		require.NoError(d.t, err)
		payment.left -= part
		n -= part
		if payment.parked {
			p.parked -= int64(part)
		} else {
			p.send(int64(part))
		}
	}
	require.Zero(d.t, n, "the payments received do not cover it")
}

func (d *desk) adjust(p *purse, credit, debit uint64) {
	d.t.Helper()
	booking, err := d.book.Adjust(d.t.Context(), accounts.Adjustment{
		Account: p.account, Key: d.key(), Credit: units(credit), Debit: units(debit), ReasonCode: 1, BeyondHeadroom: debit > 0,
	})
	require.NoError(d.t, err)
	require.Equal(d.t, units(credit+debit), booking.Amount)
	p.in(int64(credit))
	p.send(int64(debit))
}

func (d *desk) payByHand(p *purse, n uint64) {
	d.t.Helper()
	_, err := d.engine.RecordOutgoing(d.t.Context(), settlement.OutgoingPayment{
		Account: p.account, Key: d.key(), Amount: units(n), BeyondHeadroom: true,
	})
	require.NoError(d.t, err)
	p.out(int64(n))
}

func (d *desk) writeOff(p *purse, n uint64) {
	d.t.Helper()
	booking, err := d.book.WriteOff(d.t.Context(), accounts.WriteOff{Account: p.account, Key: d.key(), Amount: units(n), ReasonCode: 1})
	require.NoError(d.t, err)
	p.in(small(booking.Amount))
}

// close reports whether the peer was closed.
func (d *desk) close(p *purse) (closed bool) {
	d.t.Helper()
	err := d.book.ClosePeer(d.t.Context(), p.account, accounts.CloseOptions{})
	if errors.Is(err, accounts.ErrOwed) || errors.Is(err, accounts.ErrHeld) {
		return false
	}
	require.NoError(d.t, err)
	return true
}

func (d *desk) reopen(p *purse) {
	d.t.Helper()
	require.NoError(d.t, d.book.ReopenPeer(d.t.Context(), p.account))
	require.NoError(d.t, d.book.Resume(d.t.Context(), p.account))
}

func (d *desk) release(p *purse) {
	d.t.Helper()
	released, err := d.engine.Release(d.t.Context(), p.account)
	require.NoError(d.t, err)
	require.Equal(d.t, p.parked, small(released.Amount))
	p.unpark()
}

// unpark notes that what waited in suspense was given back.
func (p *purse) unpark() {
	p.in(p.parked)
	p.parked = 0
	for i := range p.received {
		p.received[i].parked = false
	}
}

func (d *desk) askRefund(p *purse) {
	d.t.Helper()
	require.NoError(d.t, d.engine.Refund(d.t.Context(), p.account))
	p.refund = true
}

func (d *desk) setLine(p *purse, n uint64) {
	d.t.Helper()
	_, err := d.book.SetCreditLine(d.t.Context(), p.account, units(n), accounts.WithPartialRevoke())
	require.NoError(d.t, err)
}

// suspense is the balance of the suspense account: above 0 it holds money of others.
func (d *desk) suspense() int64 {
	d.t.Helper()
	ids, _ := d.book.AssetIDs(usd.Ledger)
	found, err := d.ledger.LookupAccounts(d.t.Context(), []ledger.ID{ids.Suspense})
	require.NoError(d.t, err)
	require.Len(d.t, found, 1)
	return small(found[0].CreditsPosted) - small(found[0].DebitsPosted)
}

// small is an amount of a test.
func small(a ledger.Amount) int64 {
	n, fits := a.Uint64()
	if !fits || n > 1<<62 {
		return 1 << 62
	}
	return int64(n)
}

// threshold is a policy of a scenario.
func threshold(at, settleTo int64) settlement.Policy {
	if at < 0 || settleTo < 0 {
		return settlement.Prefund{PrefundThreshold: big.NewInt(at), SettleTo: big.NewInt(settleTo)}
	}
	return settlement.Threshold{SettleThreshold: units(uint64(at)), SettleTo: units(uint64(settleTo))}
}
