package settlement_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// approvalAbove is a Config of a running engine whose orders above an amount need approval.
func approvalAbove(name string, s settlement.Settler, amount uint64) settlement.Config {
	cfg := namedConfig(name, s)
	cfg.Policies.Default = payAll
	cfg.PeerPayoutLimits.Default.ApproveAbove = units(amount)
	return cfg
}

// An order above the amount is placed, and waits for an operator, also with an engine that takes it over and has no
// such limit.
func TestLargeOrderWaitsForApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		var told []string
		cfg := approvalAbove("owner", r, 50)
		cfg.Events.AwaitsApproval = func(o settlement.Order) { told = append(told, "held "+o.Amount.String()) }
		cfg.Events.Approved = func(settlement.Order) { told = append(told, "approved") }
		cfg.Events.Failed = func(err error) { require.NoError(t, err, "it is no failure") }
		w.earn(w.peers[1], 50)
		w.earn(w.alice, 51)
		owner := w.engine(cfg)
		owner.NotifyBalances(w.peers)
		sleepVirtual(time.Hour)
		require.Equal(t, units(50), r.totalPaid(w.peers[1]), "not above it")
		require.Zero(t, r.totalPaid(w.alice))
		require.Equal(t, []string{"held 51"}, told, "once")
		_, err := owner.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)

		told = nil
		owner = w.engine(cfg) // restarted
		owner.Enqueue(w.peers)
		sleepVirtual(time.Hour)
		require.Equal(t, []string{"held 51"}, told)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)
		sleepVirtual(2 * time.Minute)
		heir := w.engine(namedConfig("heir", r))
		heir.Enqueue(w.peers)
		sleepVirtual(time.Hour)
		require.Zero(t, r.totalPaid(w.alice))
		operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
		open, err := operator.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.ErrorIs(t, open[0].Waits, settlement.ErrAwaitsApproval)
		require.Positive(t, open[0].Claims, "the heir has claimed it")

		for range 2 { // approving again is no error
			_, err = operator.Approve(t.Context(), w.alice, open[0].ID)
			require.NoError(t, err)
		}
		open, err = operator.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		require.NoError(t, open[0].Waits)
		sleepVirtual(time.Minute + time.Second)
		require.Equal(t, units(51), r.totalPaid(w.alice))
		_, err = operator.Approve(t.Context(), w.alice, open[0].ID)
		require.ErrorIs(t, err, settlement.ErrNoOrder, "it is closed")
		require.NoError(t, heir.Close(t.Context()))
		w.requireConserved(r)
	})
}

// The engine that owns the order and approves it pays at once, and reports the approval.
func TestApprovedHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		approved := 0
		cfg := approvalAbove("owner", r, 50)
		cfg.Events.Approved = func(settlement.Order) { approved++ }
		w.earn(w.alice, 100)
		e := w.engine(cfg)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		open, err := e.Orders(t.Context())
		require.NoError(t, err)
		_, err = e.Approve(t.Context(), w.alice, open[0].ID)
		require.NoError(t, err)
		sleepVirtual(time.Second)
		require.Equal(t, units(100), r.totalPaid(w.alice))
		require.Equal(t, 1, approved)
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A waiting order may be cancelled: no rail has it, and an approval at the same moment comes before or after the
// cancellation.
func TestHeldOrderIsCancelled(t *testing.T) {
	t.Parallel()
	for range 20 {
		heldIsCancelled(t, newWorld(t))
	}
}

func heldIsCancelled(t *testing.T, w *world) {
	t.Helper()
	r := newRail()
	w.earn(w.alice, 100)
	cfg := approvalAbove("owner", r, 50)
	cfg.Manual = true
	owner := w.engine(cfg)
	_, err := owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	open, err := owner.Orders(t.Context())
	require.NoError(t, err)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	var both sync.WaitGroup
	var approved, cancelled error
	both.Go(func() { _, approved = operator.Approve(t.Context(), w.alice, open[0].ID) })
	both.Go(func() { _, cancelled = owner.Cancel(t.Context(), w.alice, open[0].ID) })
	both.Wait()
	require.NoError(t, cancelled, "an approved order that no rail has can be cancelled too")
	if approved != nil {
		require.ErrorIs(t, approved, settlement.ErrNoOrder)
	}
	require.Zero(t, w.balance(w.alice).Settling)
	_, err = owner.Settle(t.Context(), w.alice)
	require.NoError(t, err, "the account is left alone for a while")
	requireNotCalled(t, r)
	w.requireConserved(r)
}

// These orders cannot be approved.
func TestApproveRefuses(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	r.before = func(settlement.Order) error { return settlement.ErrPending }
	w.earn(w.alice, 100)
	e := w.engine(manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPending)
	open, err := e.Orders(t.Context())
	require.NoError(t, err)
	_, err = e.Approve(t.Context(), w.alice, open[0].ID)
	require.ErrorIs(t, err, settlement.ErrNotAwaitingApproval)
	_, err = e.Approve(t.Context(), w.peers[1], open[0].ID)
	require.ErrorIs(t, err, settlement.ErrNoOrder)
	_, err = e.Approve(t.Context(), w.alice, ledger.NewID(1, 1))
	require.ErrorIs(t, err, settlement.ErrNoOrder)
	require.ErrorIs(t, e.Close(context.Background()), settlement.ErrOrdersOpen)
}

// An order that fails its check is voided, and no operator is asked.
func TestLargeOrderIsCheckedFirst(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	cfg := approvalAbove("owner", r, 50)
	cfg.Manual = true
	var voided []error
	cfg.Events.Voided = func(_ settlement.Order, why error) { voided = append(voided, why) }
	cfg.Events.AwaitsApproval = func(o settlement.Order) { t.Errorf("an operator is asked about %v", o.Amount) }
	l := &hookedFirstOrder{Ledger: w.ledger, before: func() { w.spend(w.alice, 60) }}
	e := w.engineOn(l, cfg)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	require.Len(t, voided, 1)
	require.ErrorIs(t, voided[0], settlement.ErrCheckFailed)
	paid, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{40}, paidAmounts(paid), "what is left needs nobody's word")
	w.requireConserved(r)
}

// A waiting order counts against the daily limit, and the limit is checked before an operator is asked.
func TestHeldOrderKeepsToTheDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		cfg := approvalAbove("owner", r, 50)
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		w.earn(w.alice, 80)
		w.earn(w.peers[1], 40)
		e := w.engine(cfg)
		e.NotifyBalances(w.peers[:1])
		synctest.Wait()
		e.NotifyBalances(w.peers[1:])
		sleepVirtual(time.Minute)
		require.Equal(t, units(20), r.totalPaid(w.peers[1]), "80 are ordered")
		open, err := e.Orders(t.Context())
		require.NoError(t, err)
		_, err = e.Cancel(t.Context(), w.alice, open[0].ID)
		require.NoError(t, err)
		e.NotifyBalances(w.peers[1:])
		sleepVirtual(time.Minute)
		require.Equal(t, units(40), r.totalPaid(w.peers[1]))
		_ = e.Close(t.Context())
	})
}

// Orders of an account without history can be checked only by their owner. They still wait for approval, and keep
// to the daily limit, with every owner.
func TestHeldOrderOfAnAccountWithoutHistory(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]settlement.PayoutLimit{
		"approval": {ApproveAbove: units(50)},
		"a day":    {MaxPerDay: units(100), MaxOrder: units(100)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := &world{t: t, ledger: embedded.New()}, newRail()
				book := func() *accounts.Book {
					b, err := accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: true})
					require.NoError(t, err)
					return b
				}
				w.book = book()
				var err error
				w.peers, err = w.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd})
				require.NoError(t, err)
				w.alice = w.peers[0]
				cfg := manualConfig(r, payAll)
				cfg.Instance, cfg.PeerPayoutLimits.Default = "owner", limit
				w.earn(w.alice, 100)
				crash := &silentAfterOrder{Ledger: w.ledger}
				owner, err := settlement.NewEngine(crash, book(), cfg)
				require.NoError(t, err)
				_, _ = owner.Settle(t.Context(), w.alice)
				require.Error(t, owner.Close(t.Context()))
				requireNotCalled(t, r)
				sleepVirtual(2 * time.Minute)
				cfg = manualConfig(r, payAll)
				cfg.Instance = "heir"
				heir, err := settlement.NewEngine(w.ledger, book(), cfg)
				require.NoError(t, err)
				paid, err := heir.Settle(t.Context(), w.alice)
				if name == "a day" {
					require.NoError(t, err)
					require.Equal(t, []uint64{100}, paidAmounts(paid))
					require.NoError(t, heir.Close(t.Context()))
					return
				}
				require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
				requireNotCalled(t, r)
				open, err := heir.Orders(t.Context(), w.alice)
				require.NoError(t, err)
				_, err = heir.Approve(t.Context(), w.alice, open[0].ID)
				require.NoError(t, err)
				paid, err = heir.Settle(t.Context(), w.alice)
				require.NoError(t, err)
				require.Equal(t, []uint64{100}, paidAmounts(paid))
				require.NoError(t, heir.Close(t.Context()))
			})
		})
	}
}

// hookedRow is a ledger that calls a function once, before a row of a code is written.
type hookedRow struct {
	ledger.Ledger
	code uint16
	do   func()
}

func (b *hookedRow) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if do := b.do; do != nil && rows[0].Code == b.code {
		b.do = nil
		do()
	}
	return b.Ledger.CreateTransfers(ctx, rows)
}

// An order that is cancelled during an approval is not approved, and Approve returns an error.
func TestCancelledWhileItIsApproved(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	cfg := approvalAbove("owner", r, 50)
	cfg.Manual = true
	owner := w.engine(cfg)
	_, err := owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	open, err := owner.Orders(t.Context())
	require.NoError(t, err)
	l := &hookedRow{Ledger: w.ledger, code: chart.CodeApproval, do: func() {
		_, err := owner.Cancel(t.Context(), w.alice, open[0].ID)
		assertNoError(t, err)
	}}
	operator := w.engineOn(l, settlement.Config{Instance: "operator", NoTakeover: true})
	_, err = operator.Approve(t.Context(), w.alice, open[0].ID)
	require.ErrorIs(t, err, settlement.ErrNoOrder)
	requireNotCalled(t, r)
	w.requireConserved(r)
}

// An order that is refused before its engine has approved it is given to no rail.
func TestCancelledBeforeItsEngineApproves(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	l := &hookedRow{Ledger: w.ledger, code: chart.CodeApproval, do: func() {
		open, err := operator.Orders(t.Context(), w.alice)
		assertNoError(t, err)
		_, err = operator.Cancel(t.Context(), w.alice, open[0].ID)
		assertNoError(t, err)
		w.spend(w.alice, 100) // nothing more is due
	}}
	cfg := manualConfig(r, payAll)
	cfg.PeerPayoutLimits.Default.MaxPerDay = units(1000)
	paid, err := w.engineOn(l, cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	requireNotCalled(t, r)
	w.requireConserved(r)
}

// An order that is approved during a cancellation is still cancelled: no rail has it yet.
func TestApprovedWhileItIsCancelled(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	var order ledger.ID
	l := &hookedRow{Ledger: w.ledger, code: chart.CodeApproval, do: func() {
		_, err := operator.Approve(t.Context(), w.alice, order)
		assertNoError(t, err)
	}}
	cfg := approvalAbove("owner", r, 50)
	cfg.Manual = true
	owner := w.engineOn(l, cfg)
	_, err := owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	open, err := owner.Orders(t.Context())
	require.NoError(t, err)
	order = open[0].ID
	_, err = owner.Cancel(t.Context(), w.alice, order)
	require.NoError(t, err)
	require.Nil(t, l.do, "it was approved")
	requireNotCalled(t, r)
	w.requireConserved(r)
}

// The ledger refuses the approval of an order: Approve returns the ledger's status.
func TestRefusedApproval(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	cfg := approvalAbove("owner", r, 50)
	cfg.Manual = true
	owner := w.engine(cfg)
	_, err := owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	order := openOrder(t, owner, w.alice)
	control, _ := w.book.AssetIDs(usd.Ledger)
	w.writePacket(w.book.PeerIDs(w.alice).Settlement, control.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	_, err = owner.Approve(t.Context(), w.alice, order.ID)
	var refused *ledger.TransferError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ledger.TransferDebitAccountAlreadyClosed, refused.Status)
}

// An order beyond a limit that an operator resolves before its engine has refused it is given to no rail.
func TestResolvedBeforeItsEngineRefuses(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	bob := w.peers[1]
	w.earn(w.alice, 100)
	w.earn(bob, 100)
	limited := func(instance string) settlement.Config {
		cfg := manualConfig(r, payAll)
		cfg.Instance, cfg.AssetPayoutLimits = instance, map[accounts.Asset]settlement.PayoutLimit{usd: {MaxPerDay: units(100)}}
		return cfg
	}
	first := &hookedFirstOrder{Ledger: w.ledger, before: func() {
		_, err := w.engine(limited("other")).Settle(t.Context(), bob)
		assertNoError(t, err)
	}}
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	l := &hookedRow{Ledger: first, code: chart.CodeApproval, do: func() {
		open, err := operator.Orders(t.Context(), w.alice)
		assertNoError(t, err)
		_, err = operator.Resolve(t.Context(), w.alice, open[0].ID, units(100))
		assertNoError(t, err)
	}}
	_, _ = w.engineOn(l, limited("engine")).Settle(t.Context(), w.alice)
	require.Nil(t, l.do, "the order was beyond the limit")
	require.Equal(t, units(100), r.totalPaid(bob))
	require.Zero(t, r.totalPaid(w.alice))
}
