package settlement_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// oldBooks is a copy of testdata/books-before-arrears, the ledger of a version without arrears, with an
// engine of this version on it.
type oldBooks struct {
	t      *testing.T
	ledger ledger.Ledger
	book   *accounts.Book
	engine *settlement.Engine
	rail   *rail
	now    time.Time // of the engine; zero: today

	takenMu sync.Mutex // events come from several goroutines
	taken   []settlement.Order
}

// stand has the figures of a peer.
type stand struct {
	position                                       int64
	prepaid, arrears, due, line, headroom, ordered uint64
	closed                                         bool
}

// oldStands has the figures of each peer according to the model, after all events in the folder.
var oldStands = map[string]stand{
	"anna": {position: 40, line: 1000, headroom: 1040},
	"bert": {position: 330, prepaid: 300, headroom: 330},
	"cora": {position: 140, prepaid: 40, due: 100, headroom: 140},
	"dora": {position: 250, due: 250, line: 100, headroom: 350},
	"emil": {position: -20, line: 20},
	"fred": {position: -100, line: 100},
	"gina": {},
	"hans": {position: 540, prepaid: 40, headroom: 40, ordered: 500},
	"ida":  {position: 100, prepaid: 100, line: 1000, headroom: 1000, ordered: 100},
	"karl": {closed: true},
}

// openOldBooks opens a copy of the folder.
func openOldBooks(t *testing.T) *embedded.Ledger {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/books-before-arrears/ledger")))
	l, err := embedded.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// newOldBooks starts an engine of an instance on a ledger with old books.
func newOldBooks(t *testing.T, l ledger.Ledger, instance string) *oldBooks {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: "before arrears", Assets: []accounts.Asset{usd}, SuspensionPollInterval: 5 * time.Millisecond,
	})
	require.NoError(t, err)
	b := &oldBooks{t: t, ledger: l, book: book, rail: newRail()}
	b.start(instance)
	return b
}

// start starts an engine, and fails the test if the engine reports a failure.
func (b *oldBooks) start(instance string) {
	b.t.Helper()
	cfg := manualConfig(b.rail, settlement.Threshold{SettleThreshold: units(100)})
	cfg.Instance, cfg.OrderCooldown = instance, 1
	cfg.Clock = func() time.Time {
		if b.now.IsZero() {
			return time.Now().Add(time.Second) // later than every order
		}
		return b.now
	}
	cfg.Events.Failed = func(err error) { b.t.Errorf("the engine reports: %v", err) }
	cfg.Events.TakenOver = func(o settlement.Order) {
		b.takenMu.Lock()
		defer b.takenMu.Unlock()
		b.taken = append(b.taken, o)
	}
	engine, err := settlement.NewEngine(b.ledger, b.book, cfg)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, engine.Close(context.Background())) })
	b.engine = engine
}

func (b *oldBooks) peer(name string) accounts.PeerAccount {
	b.t.Helper()
	account, err := b.book.PeerAccount(name, usd)
	require.NoError(b.t, err)
	return account
}

func (b *oldBooks) all() (list []accounts.PeerAccount) {
	b.t.Helper()
	for name := range oldStands {
		list = append(list, b.peer(name))
	}
	return list
}

// stands requires the figures of a peer.
func (b *oldBooks) stands(name string, want stand) {
	b.t.Helper()
	now, err := b.book.Balance(b.t.Context(), b.peer(name))
	require.NoError(b.t, err)
	require.False(b.t, now.PrepaidAtMost)
	require.Equal(b.t, want, stand{
		now.Position().Int64(), now.Prepaid.Lo, now.Arrears.Lo, b.engine.Due(now).Lo, now.CreditLine.Lo, now.Headroom.Lo, now.Settling.Lo,
		now.Closed,
	}, name)
}

func (b *oldBooks) allStand(arrears bool) {
	b.t.Helper()
	for name, want := range oldStands {
		b.stands(name, want)
		now, err := b.book.Balance(b.t.Context(), b.peer(name))
		require.NoError(b.t, err)
		require.Equal(b.t, arrears, now.HasArrearsAccount(), name)
	}
	b.suspends(-45)
}

// suspends requires the balance of suspense: credits less debits.
func (b *oldBooks) suspends(want int64) {
	b.t.Helper()
	positions, err := b.book.OwnPositions(b.t.Context())
	require.NoError(b.t, err)
	require.Equal(b.t, want, positions[0].Suspense.Int64(), "suspense")
}

// provision provisions the peers as the old version did.
func (b *oldBooks) provision() {
	b.t.Helper()
	for name, is := range oldStands {
		_, err := b.book.Provision(b.t.Context(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(is.line)})
		require.NoError(b.t, err)
	}
}

// rows returns all transfers of the ledger.
func (b *oldBooks) rows() []ledger.Transfer {
	b.t.Helper()
	rows, err := b.ledger.QueryTransfers(b.t.Context(), ledger.QueryFilter{Limit: 1000})
	require.NoError(b.t, err)
	return rows
}

// round settles with some peers, or with all, and returns the amounts paid.
func (b *oldBooks) round(names ...string) (paid map[string]uint64) {
	b.t.Helper()
	list := b.all()
	if len(names) > 0 {
		list = list[:0]
	}
	for _, name := range names {
		list = append(list, b.peer(name))
	}
	payments, err := b.engine.Settle(b.t.Context(), list...)
	require.NoError(b.t, err)
	paid = make(map[string]uint64)
	for _, p := range payments {
		paid[p.Order.Account.Peer()] += p.Paid.Lo
	}
	return paid
}

// An engine of this version goes on with books of the version before arrears: a booking under an old
// key is found again; open orders are paid once, by the instance that placed them or by another
// instance; and new packets, payments and orders work.
func TestBooksBeforeArrears(t *testing.T) {
	t.Parallel()
	for _, instance := range []string{"desk", "heir"} {
		t.Run(instance, func(t *testing.T) {
			t.Parallel()
			goOnWithOldBooks(t, openOldBooks(t), instance)
		})
	}
}

func goOnWithOldBooks(t *testing.T, l ledger.Ledger, instance string) {
	t.Helper()
	b := newOldBooks(t, l, instance)
	b.allStand(false)
	before := b.rows()
	b.provision()
	b.allStand(true)
	b.repeatAll()
	require.Equal(t, before, b.rows(), "nothing was booked")
	b.payOpenOrders(instance == "desk")
	b.comeBack()
	b.giveBack()
	b.clearSuspense()
	b.orderAgain()
	ledgertest.RequireConserved(t, l)
	ledgertest.RequireNothingHeld(t, l)
}

// repeatAll repeats every booking under a key: each is found already booked.
func (b *oldBooks) repeatAll() {
	b.t.Helper()
	ctx := b.t.Context()
	for name, amount := range map[string]uint64{"bert": 300, "gina": 90, "hans": 40, "ida": 100, "karl": 25} {
		r, err := b.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: b.peer(name), Key: name + " pays", Amount: units(amount)})
		require.NoError(b.t, err)
		require.True(b.t, r.AlreadyBooked, name)
		require.Equal(b.t, name == "gina" || name == "karl", r.InSuspense, name)
	}
	voucher, err := b.engine.RecordVoucher(ctx, settlement.Voucher{Account: b.peer("bert"), Channel: "channel", Cumulative: units(50)})
	require.NoError(b.t, err)
	require.True(b.t, voucher.AlreadyBooked)
	for _, beyond := range []bool{false, true} {
		r, err := b.engine.RecordOutgoing(ctx, settlement.OutgoingPayment{
			Account: b.peer("dora"), Key: "by hand", Amount: units(150), BeyondHeadroom: beyond,
		})
		require.NoError(b.t, err)
		require.True(b.t, r.AlreadyBooked)
		debit, err := b.book.Adjust(ctx, accounts.Adjustment{
			Account: b.peer("cora"), Key: "debit", Debit: units(30), ReasonCode: 7, BeyondHeadroom: beyond,
		})
		require.NoError(b.t, err)
		require.True(b.t, debit.AlreadyBooked)
	}
	credit, err := b.book.Adjust(ctx, accounts.Adjustment{Account: b.peer("cora"), Key: "credit", Credit: units(70), ReasonCode: 7})
	require.NoError(b.t, err)
	require.True(b.t, credit.AlreadyBooked)
	capital, err := b.book.Fund(ctx, accounts.Capital{Asset: usd, Key: "capital", Amount: units(10_000)})
	require.NoError(b.t, err)
	require.True(b.t, capital.AlreadyBooked)
	b.resolveAgain("anna", 300)
	b.resolveAgain("emil", 260)
	b.repeatPackets()
}

// resolveAgain resolves a peer's order again: the same amount is a success, a different amount a conflict.
func (b *oldBooks) resolveAgain(name string, paid uint64) {
	b.t.Helper()
	rows, err := b.ledger.GetAccountTransfers(b.t.Context(), ledger.AccountFilter{
		AccountID: b.book.PeerIDs(b.peer(name)).Peer, Code: chart.CodeOrder, Limit: 1, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(b.t, err)
	require.Len(b.t, rows, 1)
	_, err = b.engine.Resolve(b.t.Context(), b.peer(name), rows[0].ID, units(paid))
	require.NoError(b.t, err)
	_, err = b.engine.Resolve(b.t.Context(), b.peer(name), rows[0].ID, units(paid+1))
	require.ErrorIs(b.t, err, settlement.ErrOrderConflict)
}

// repeatPackets fulfills two packets again: anna's first packet, and fred's late packet. After a
// migration to a new ledger the recorder refuses both, since the imported rows differ from the originals.
func (b *oldBooks) repeatPackets() {
	b.t.Helper()
	recorder, err := transfers.NewRecorder(b.ledger, b.book, transfers.Config{Lanes: 1, MaxBacklog: 16})
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, recorder.Close(context.Background())) }()
	own, err := b.book.OwnAccount(usd)
	require.NoError(b.t, err)
	moved := b.rows()[0].Flags.Has(ledger.TransferImported)
	for _, p := range []transfers.Packet{
		{ID: ledger.NewID(1<<8, 1), From: own, To: b.peer("anna"), In: 500, Out: 500, Hold: time.Hour},
		{ID: ledger.NewID(9<<8, 1), From: b.peer("fred"), To: own, In: 80, Out: 80, Hold: time.Second},
	} {
		result, err := recorder.Fulfill(b.t.Context(), p)
		if moved {
			require.Error(b.t, err)
			continue
		}
		require.NoError(b.t, err)
		require.Equal(b.t, ledger.OutcomeAlreadyApplied, result.Outcome)
		require.Equal(b.t, p.In == 80, result.Late)
	}
}

// payOpenOrders pays the two open orders. Unless the engine's instance placed the orders (mine), the
// engine leaves the orders alone for a lease.
func (b *oldBooks) payOpenOrders(mine bool) {
	b.t.Helper()
	open, err := b.engine.Orders(b.t.Context(), b.peer("hans"), b.peer("ida"))
	require.NoError(b.t, err)
	require.Len(b.t, open, 2)
	require.Equal(b.t, mine, open[0].OwnedByThisInstance)
	if !mine {
		b.now = open[0].PlacedAt.Add(30 * time.Second)
		require.Empty(b.t, b.round("hans", "ida"))
		b.now = open[0].PlacedAt.Add(2 * time.Minute)
	}
	// ida's order pays her prepayment back: an engine without a check placed the order, so a rail may
	// have it, and it is paid.
	require.Equal(b.t, map[string]uint64{"hans": 500, "ida": 100}, b.round("hans", "ida"))
	require.Equal(b.t, map[ledger.ID]int{open[0].ID: 1, open[1].ID: 1}, b.rail.calls)
	require.Len(b.t, b.taken, map[bool]int{true: 0, false: 2}[mine])
	b.stands("hans", stand{position: 40, prepaid: 40, headroom: 40})
	b.stands("ida", stand{line: 1000, headroom: 1000})
	b.now = time.Time{}
	require.Empty(b.t, b.round("hans", "ida"))
	b.start("a third one") // a third instance pays nothing either
	require.Empty(b.t, b.round("hans", "ida"))
}

// comeBack records the return of payments.
func (b *oldBooks) comeBack() {
	b.t.Helper()
	back := func(name string, amount uint64) {
		b.t.Helper()
		for _, already := range []bool{false, true} {
			r, err := b.engine.RecordReturned(b.t.Context(), settlement.ReturnedPayment{
				Account: b.peer(name), Key: "back", Payment: name + " pays", Amount: units(amount),
			})
			require.NoError(b.t, err, name)
			require.Equal(b.t, already, r.AlreadyBooked, name)
		}
	}
	back("bert", 100)
	b.stands("bert", stand{position: 230, prepaid: 200, headroom: 230})
	back("ida", 100)
	b.stands("ida", stand{position: -100, line: 1000, headroom: 900})
	back("hans", 40)
	b.stands("hans", stand{})
	back("karl", 25)
	b.stands("karl", stand{closed: true})
	b.suspends(-70)
}

// giveBack releases gina's payment from suspense: it arrived while her account was closed.
func (b *oldBooks) giveBack() {
	b.t.Helper()
	for _, amount := range []uint64{90, 0} {
		released, err := b.engine.Release(b.t.Context(), b.peer("gina"))
		require.NoError(b.t, err)
		require.Equal(b.t, units(amount), released.Amount)
	}
	b.stands("gina", stand{position: 90, prepaid: 90, headroom: 90})
	b.suspends(-160)
}

// clearSuspense debits emil and fred for the amounts that the old version had left in suspense.
func (b *oldBooks) clearSuspense() {
	b.t.Helper()
	for name, amount := range map[string]uint64{"emil": 40, "fred": 80} {
		for _, already := range []bool{false, true} {
			booking, err := b.book.Adjust(b.t.Context(), accounts.Adjustment{
				Account: b.peer(name), Key: "suspense", Debit: units(amount), ReasonCode: 8, BeyondHeadroom: true,
			})
			require.NoError(b.t, err)
			require.Equal(b.t, already, booking.AlreadyBooked)
		}
	}
	b.suspends(-40)
	b.stands("emil", stand{position: -60, arrears: 40, line: 20})
	b.stands("fred", stand{position: -180, arrears: 80, line: 100})
}

// orderAgain books new packets and a payment, and settles with all peers.
func (b *oldBooks) orderAgain() {
	b.t.Helper()
	recorder, err := transfers.NewRecorder(b.ledger, b.book, transfers.Config{Lanes: 1, MaxBacklog: 16})
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, recorder.Close(context.Background())) }()
	own, err := b.book.OwnAccount(usd)
	require.NoError(b.t, err)
	for _, name := range []string{"anna", "emil", "hans"} {
		_, err := recorder.Forward(b.t.Context(), transfers.Packet{From: own, To: b.peer(name), In: 100, Out: 100})
		require.NoError(b.t, err)
	}
	_, err = b.engine.RecordIncoming(b.t.Context(), settlement.IncomingPayment{Account: b.peer("fred"), Key: "fred pays", Amount: units(100)})
	require.NoError(b.t, err)
	require.Equal(b.t, map[string]uint64{"anna": 140, "cora": 100, "dora": 250, "hans": 100}, b.round())
	for name, want := range map[string]stand{
		"anna": {line: 1000, headroom: 1000}, "bert": {position: 230, prepaid: 200, headroom: 230}, "cora": {position: 40, prepaid: 40, headroom: 40},
		"dora": {line: 100, headroom: 100}, "emil": {position: 40, line: 20, headroom: 60}, "fred": {position: -80, line: 100, headroom: 20},
		"gina": {position: 90, prepaid: 90, headroom: 90}, "hans": {}, "ida": {position: -100, line: 1000, headroom: 900}, "karl": {closed: true},
	} {
		b.stands(name, want)
	}
	require.Equal(b.t, map[uint64]uint64{1: 2, 2: 2}, b.checkedOrders())
	require.Empty(b.t, b.round())
}

// checkedOrders counts the orders with a check, by sequence number. Number 2 follows an order of the
// old version.
func (b *oldBooks) checkedOrders() map[uint64]uint64 {
	b.t.Helper()
	found := make(map[uint64]uint64)
	for _, row := range b.rows() {
		if version := row.UserData64 >> 56 & 0x3f; row.Code == chart.CodeOrder && row.Flags.Has(ledger.TransferPending) && version == 1 {
			found[row.UserData64&(1<<56-1)]++
		}
	}
	return found
}

// The first booking on arrears creates the missing arrears account of a peer that was not provisioned
// again, and burns no id.
func TestBooksBeforeArrearsUnprovisioned(t *testing.T) {
	t.Parallel()
	b := newOldBooks(t, openOldBooks(t), "desk")
	b.repeatAll()
	b.payOpenOrders(true)
	b.comeBack()
	b.giveBack()
	b.clearSuspense()
	b.orderAgain()
	ledgertest.RequireConserved(t, b.ledger)
}

// A rail pays more than an order of the old version: the excess becomes arrears, although the peer
// was not provisioned again and has no arrears account.
func TestBooksBeforeArrearsOverpaid(t *testing.T) {
	t.Parallel()
	b := newOldBooks(t, openOldBooks(t), "desk")
	b.rail.pays = func(settlement.Order) ledger.Amount { return units(600) }
	require.Equal(t, map[string]uint64{"hans": 600}, b.round("hans"))
	b.stands("hans", stand{position: -60, arrears: 60})
	b.suspends(-45)
	require.Empty(t, b.round("hans"))
	ledgertest.RequireConserved(t, b.ledger)
}
