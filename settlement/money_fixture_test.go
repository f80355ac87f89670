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
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// moneyFixture applies the steps of a scenario to peers: packets through a recorder, all other steps through an
// engine and a book. Each moneyPeer has the expected balances.
type moneyFixture struct {
	t          *testing.T
	ledger     *stoppingLedger // used by the engine and the book
	cfg        accounts.Config
	policy     settlement.Policy
	ownAccount accounts.PeerAccount
	recorder   *transfers.Recorder
	book       *accounts.Book
	engine     *settlement.Engine
	bank       *scriptedRail
	lastKey    int
	lastPacket uint64 // of earnInRound
}

// moneyPeer is a peer in one asset with its model.
type moneyPeer struct {
	unitModel
	account         accounts.PeerAccount
	inSuspense      int64 // received while closed
	earnedClosed    int64 // earned in rounds while closed
	payments        []receivedPayment
	voucherSum      uint64
	refundRequested bool             // and no order followed yet
	modelAtOrder    unitModel        // the model when the newest order was placed
	stoppedRound    chan roundResult // of stopRoundAtOrder
	resumeRound     chan struct{}    // closed to continue the round; nil if the round placed no order
}

type receivedPayment struct {
	key        string
	remaining  uint64 // did not come back yet
	inSuspense bool
}

func newMoneyFixture(t *testing.T, l ledger.Ledger, cfg accounts.Config, policy settlement.Policy) *moneyFixture {
	t.Helper()
	cfg.Assets, cfg.SuspensionPollInterval = []accounts.Asset{usd}, 5*time.Millisecond
	d := &moneyFixture{t: t, ledger: &stoppingLedger{Ledger: l}, cfg: cfg, policy: policy, bank: &scriptedRail{paid: map[ledger.ID]uint64{}}}
	d.restartEngine()
	own, err := d.book.OwnAccount(usd)
	require.NoError(t, err)
	d.ownAccount = own
	d.startRecorder(l)
	return d
}

func (d *moneyFixture) startRecorder(l ledger.Ledger) {
	d.t.Helper()
	book, err := accounts.NewBook(l, d.cfg)
	require.NoError(d.t, err)
	d.recorder, err = transfers.NewRecorder(l, book, transfers.Config{Lanes: 1, MaxBacklog: 16, AllowArrears: true})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, d.recorder.Close(context.Background())) })
}

// restartEngine replaces the book and the engine, so that both have forgotten everything.
func (d *moneyFixture) restartEngine() {
	d.t.Helper()
	d.book, d.engine = d.newBookAndEngine("")
}

func (d *moneyFixture) newBookAndEngine(instance string) (*accounts.Book, *settlement.Engine) {
	d.t.Helper()
	book, err := accounts.NewBook(d.ledger, d.cfg)
	require.NoError(d.t, err)
	engine, err := settlement.NewEngine(d.ledger, book, settlement.Config{
		Rails: railsWith(d.bank), Policies: settlement.Policies{Default: d.policy}, Manual: true, Instance: instance,
		Lease: time.Hour, OrderCooldown: 1, RetryInitialInterval: 1,
		Clock: func() time.Time { return time.Now().Add(time.Second) }, // after the placement of every order
		Events: settlement.Events{Voided: func(_ settlement.Order, err error) {
			d.bank.noteVoided(errors.Is(err, settlement.ErrCheckFailed))
		}},
	})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return book, engine
}

func (d *moneyFixture) provisionPeer(name string, line uint64) *moneyPeer {
	d.t.Helper()
	handles, err := d.book.Provision(d.t.Context(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(line)})
	require.NoError(d.t, err)
	return &moneyPeer{account: handles[0]}
}

func (d *moneyFixture) nextKey() string {
	d.lastKey++
	return fmt.Sprint("key ", d.lastKey)
}

func (d *moneyFixture) readBalance(p *moneyPeer) accounts.Balance {
	d.t.Helper()
	b, err := d.book.Balance(d.t.Context(), p.account)
	require.NoError(d.t, err)
	return b
}

// longHold is the timeout of a hold that ends by a fulfill or a reject.
const longHold = time.Hour

// preparePacket prepares a packet; ok is false if the ledger refused it.
func (d *moneyFixture) preparePacket(from, to accounts.PeerAccount, n uint64, hold time.Duration) (packet transfers.Packet, ok bool) {
	d.t.Helper()
	packet = transfers.Packet{From: from, To: to, In: n, Out: n, Hold: hold}
	result, err := d.recorder.Prepare(d.t.Context(), packet)
	for range 100 {
		if !errors.Is(err, accounts.ErrSuspended) {
			break
		}
		// The recorder reads within a poll interval that the peer is open again.
		sleepVirtual(d.cfg.SuspensionPollInterval)
		result, err = d.recorder.Prepare(d.t.Context(), packet)
	}
	if errors.Is(err, transfers.ErrCreditLine) {
		return result.Packet, false
	}
	require.NoError(d.t, err)
	return result.Packet, true
}

func (d *moneyFixture) fulfillPacket(packet transfers.Packet) (late bool) {
	d.t.Helper()
	result, err := d.recorder.Fulfill(d.t.Context(), packet)
	require.NoError(d.t, err)
	return result.Late
}

func (d *moneyFixture) rejectPacket(packet transfers.Packet) {
	d.t.Helper()
	_, err := d.recorder.Reject(d.t.Context(), packet)
	require.NoError(d.t, err)
}

// earnByPacket fulfills a packet to the peer.
func (d *moneyFixture) earnByPacket(p *moneyPeer, n uint64) {
	d.t.Helper()
	packet, ok := d.preparePacket(d.ownAccount, p.account, n, longHold)
	require.True(d.t, ok)
	require.False(d.t, d.fulfillPacket(packet))
	p.addEarned(int64(n))
}

// earnInRound fulfills a packet to the peer, and books it by a round (package aggregate). If the peer is closed, the
// earning waits in suspense.
func (d *moneyFixture) earnInRound(p *moneyPeer, n uint64) {
	d.t.Helper()
	book, err := accounts.NewBook(d.ledger.Ledger, d.cfg)
	require.NoError(d.t, err)
	recorder, err := aggregate.NewRecorder(d.t.Context(), d.ledger.Ledger, book, aggregate.Config{LoseFulfillsWithProcess: true, AllowArrears: true, RequestSize: 64})
	require.NoError(d.t, err)
	closed := d.readBalance(p).Closed
	// A packet of an earlier process: a recorder books it by its own fields, whatever the state of the peer.
	d.lastPacket++
	packet := transfers.Packet{
		ID: ledger.NewID(d.lastPacket<<8, 0), From: d.ownAccount, To: p.account, In: n, Out: n, Expiry: time.Now().Add(time.Minute),
	}
	_, err = recorder.Fulfill(d.t.Context(), packet)
	require.NoError(d.t, err)
	require.NoError(d.t, recorder.Close(d.t.Context()))
	if closed {
		p.earnedClosed += int64(n)
	} else {
		p.addEarned(int64(n))
	}
}

// sendByPacket fulfills a packet from the peer; ok is false if the ledger refused it.
func (d *moneyFixture) sendByPacket(p *moneyPeer, n uint64) (ok bool) {
	d.t.Helper()
	packet, ok := d.preparePacket(p.account, d.ownAccount, n, longHold)
	if ok {
		require.False(d.t, d.fulfillPacket(packet))
		p.addSent(int64(n))
	}
	return ok
}

// waitForExpiry waits until the peer has no holds.
func (d *moneyFixture) waitForExpiry(p *moneyPeer) {
	d.t.Helper()
	for range 200 {
		b := d.readBalance(p)
		if b.HeldIn.IsZero() && b.HeldOut.IsZero() {
			return
		}
		sleepVirtual(50 * time.Millisecond)
	}
	require.Fail(d.t, "the holds do not expire")
}

// bookIncoming reports whether the key was booked before.
func (d *moneyFixture) bookIncoming(p *moneyPeer, n uint64, key string) (already bool) {
	d.t.Helper()
	booked, err := d.engine.RecordIncoming(d.t.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: units(n)})
	require.NoError(d.t, err)
	if !booked.AlreadyBooked {
		p.payments = append(p.payments, receivedPayment{key, n, booked.InSuspense})
		p.addIncoming(n, booked.InSuspense)
	}
	return booked.AlreadyBooked
}

func (d *moneyFixture) bookVoucher(p *moneyPeer, n uint64) {
	d.t.Helper()
	p.voucherSum += n
	booked, err := d.engine.RecordVoucher(d.t.Context(), settlement.Voucher{
		Account: p.account, Channel: "channel", Cumulative: units(p.voucherSum),
	})
	require.NoError(d.t, err)
	require.Equal(d.t, units(n), booked.Amount)
	p.addIncoming(n, booked.InSuspense)
}

func (p *moneyPeer) addIncoming(n uint64, parked bool) {
	if parked {
		p.inSuspense += int64(n)
	} else {
		p.addPaidIn(int64(n))
	}
}

// bookReturns returns the newest payments until their sum covers an amount, or with a key that payment alone.
func (d *moneyFixture) bookReturns(p *moneyPeer, n uint64, key string) {
	d.t.Helper()
	for i := len(p.payments) - 1; i >= 0 && n > 0; i-- {
		payment := &p.payments[i]
		part := min(n, payment.remaining)
		if part == 0 || key != "" && key != payment.key {
			continue
		}
		_, err := d.engine.RecordReturned(d.t.Context(), settlement.ReturnedPayment{
			Account: p.account, Key: d.nextKey(), Payment: payment.key, Amount: units(part),
		})
		require.NoError(d.t, err)
		payment.remaining -= part
		n -= part
		if payment.inSuspense {
			p.inSuspense -= int64(part)
		} else {
			p.addSent(int64(part))
		}
	}
	require.Zero(d.t, n, "the payments received do not cover it")
}

func (d *moneyFixture) bookAdjustment(p *moneyPeer, credit, debit uint64) {
	d.t.Helper()
	booking, err := d.book.Adjust(d.t.Context(), accounts.Adjustment{
		Account: p.account, Key: d.nextKey(), Credit: units(credit), Debit: units(debit), ReasonCode: 1, BeyondHeadroom: debit > 0,
	})
	require.NoError(d.t, err)
	require.Equal(d.t, units(credit+debit), booking.Amount)
	p.addPaidIn(int64(credit))
	p.addSent(int64(debit))
}

func (d *moneyFixture) bookOutgoing(p *moneyPeer, n uint64) {
	d.t.Helper()
	_, err := d.engine.RecordOutgoing(d.t.Context(), settlement.OutgoingPayment{
		Account: p.account, Key: d.nextKey(), Amount: units(n), BeyondHeadroom: true,
	})
	require.NoError(d.t, err)
	p.addPaidOut(int64(n))
}

func (d *moneyFixture) bookWriteOff(p *moneyPeer, n uint64) {
	d.t.Helper()
	booking, err := d.book.WriteOff(d.t.Context(), accounts.WriteOff{Account: p.account, Key: d.nextKey(), Amount: units(n), ReasonCode: 1})
	require.NoError(d.t, err)
	p.addPaidIn(toInt64(booking.Amount))
}

// closePeer reports whether the ledger closed the peer.
func (d *moneyFixture) closePeer(p *moneyPeer) (closed bool) {
	d.t.Helper()
	err := d.book.ClosePeer(d.t.Context(), p.account)
	if errors.Is(err, accounts.ErrOwed) || errors.Is(err, accounts.ErrHeld) {
		return false
	}
	require.NoError(d.t, err)
	return true
}

func (d *moneyFixture) reopenPeer(p *moneyPeer) {
	d.t.Helper()
	require.NoError(d.t, d.book.ReopenPeer(d.t.Context(), p.account))
	require.NoError(d.t, d.book.ResumePeer(d.t.Context(), p.account))
}

func (d *moneyFixture) releasePeer(p *moneyPeer) {
	d.t.Helper()
	released, err := d.engine.Release(d.t.Context(), p.account)
	require.NoError(d.t, err)
	require.Equal(d.t, p.inSuspense+p.earnedClosed, toInt64(released.Amount))
	p.addReleased()
}

// addReleased moves the money in suspense to the peer in the model.
func (p *moneyPeer) addReleased() {
	p.addPaidIn(p.inSuspense)
	p.addEarned(p.earnedClosed)
	p.inSuspense, p.earnedClosed = 0, 0
	for i := range p.payments {
		p.payments[i].inSuspense = false
	}
}

func (d *moneyFixture) requestRefund(p *moneyPeer) {
	d.t.Helper()
	require.NoError(d.t, d.engine.Refund(d.t.Context(), p.account))
	p.refundRequested = true
}

func (d *moneyFixture) setCreditLine(p *moneyPeer, n uint64) {
	d.t.Helper()
	_, err := d.book.SetCreditLine(d.t.Context(), p.account, units(n), accounts.WithPartialRevoke())
	require.NoError(d.t, err)
}

// readSuspense is the balance of the suspense account: above 0 it has money of others.
func (d *moneyFixture) readSuspense() int64 {
	d.t.Helper()
	ids, _ := d.book.AssetIDs(usd.Ledger)
	found, err := d.ledger.LookupAccounts(d.t.Context(), []ledger.ID{ids.Suspense})
	require.NoError(d.t, err)
	require.Len(d.t, found, 1)
	return toInt64(found[0].CreditsPosted) - toInt64(found[0].DebitsPosted)
}

// toInt64 converts an amount of a test; 1<<62 stands for every larger amount.
func toInt64(a ledger.Amount) int64 {
	n, fits := a.Uint64()
	if !fits || n > 1<<62 {
		return 1 << 62
	}
	return int64(n)
}

// newThreshold is a policy of a scenario: a Prefund if a level is below 0.
func newThreshold(at, settleTo int64) settlement.Policy {
	if at < 0 || settleTo < 0 {
		return settlement.Prefund{PrefundThreshold: big.NewInt(at), SettleTo: big.NewInt(settleTo)}
	}
	return settlement.Threshold{SettleThreshold: units(uint64(at)), SettleTo: units(uint64(settleTo))}
}
