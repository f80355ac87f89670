package settlement_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// world is a ledger with peers, and methods that move money as packets do.
type world struct {
	t      testing.TB
	number uint64 // of the world among the worlds on its ledger
	ledger ledger.Ledger
	book   *accounts.Book
	peers  []accounts.PeerAccount
	alice  accounts.PeerAccount // the first peer

	mu     sync.Mutex
	lastID uint64
}

// newWorld provisions alice and the named peers, each with a credit line of 1000.
func newWorld(tb testing.TB, names ...string) *world {
	tb.Helper()
	return newWorldOn(tb, embedded.New(), 0, names...)
}

// newWorldOn is newWorld on a ledger with other worlds; the numbers must differ.
func newWorldOn(tb testing.TB, l ledger.Ledger, number uint64, names ...string) *world {
	tb.Helper()
	w := &world{t: tb, ledger: l, number: number}
	w.book = w.bookOn(l)
	var peers []accounts.PeerConfig
	for _, name := range append([]string{"alice"}, names...) {
		peers = append(peers, accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(1000)})
	}
	var err error
	w.peers, err = w.book.Provision(tb.Context(), peers...)
	require.NoError(tb, err)
	w.alice = w.peers[0]
	return w
}

func newBook(tb testing.TB, l ledger.Ledger) *accounts.Book {
	tb.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(tb, err)
	return book
}

// bookOn makes a book with the world's namespace.
func (w *world) bookOn(l ledger.Ledger) *accounts.Book {
	w.t.Helper()
	if w.number == 0 {
		return newBook(w.t, l)
	}
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: fmt.Sprint("world ", w.number), Assets: []accounts.Asset{usd},
	})
	require.NoError(w.t, err)
	return book
}

// earn credits a peer for a packet to the peer; spend debits it for a packet from the peer.
func (w *world) earn(a accounts.PeerAccount, n uint64) {
	w.t.Helper()
	w.writePacket(w.liquidity(), w.book.PeerIDs(a).Peer, n, 0)
}

func (w *world) spend(a accounts.PeerAccount, n uint64) {
	w.t.Helper()
	w.writePacket(w.book.PeerIDs(a).Peer, w.liquidity(), n, 0)
}

// earnInRound and spendInRound are earn and spend by a round of package aggregate.
func (w *world) earnInRound(a accounts.PeerAccount, n uint64) {
	w.t.Helper()
	w.writeRound(w.liquidity(), w.book.PeerIDs(a).Peer, n)
}

func (w *world) spendInRound(a accounts.PeerAccount, n uint64) {
	w.t.Helper()
	own, _ := w.book.AssetIDs(usd.Ledger)
	reserved := w.writeRow(ledger.Transfer{
		DebitAccountID: w.book.PeerIDs(a).Peer, CreditAccountID: own.Transit, Amount: units(n), Ledger: usd.Ledger,
		Code: chart.CodeReserve, Flags: ledger.TransferPending,
	})
	w.writeRow(ledger.Transfer{PendingID: reserved, Amount: units(n), Flags: ledger.TransferPostPending})
	w.writeRow(ledger.Transfer{DebitAccountID: own.Transit, CreditAccountID: w.liquidity(), Amount: units(n), Ledger: usd.Ledger, Code: chart.CodeRound})
}

// writeRound moves an amount over transit.
func (w *world) writeRound(debit, credit ledger.ID, n uint64) {
	w.t.Helper()
	own, _ := w.book.AssetIDs(usd.Ledger)
	for _, leg := range [][2]ledger.ID{{debit, own.Transit}, {own.Transit, credit}} {
		w.writeRow(ledger.Transfer{DebitAccountID: leg[0], CreditAccountID: leg[1], Amount: units(n), Ledger: usd.Ledger, Code: chart.CodeRound})
	}
}

// paySettlement credits a peer for a payment of the peer.
func (w *world) paySettlement(a accounts.PeerAccount, n uint64) {
	w.t.Helper()
	ids := w.book.PeerIDs(a)
	w.writeRow(ledger.Transfer{
		DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer, Amount: units(n), Ledger: usd.Ledger, Code: chart.CodeIncoming,
	})
}

// holdPacket debits a peer for a packet in flight.
func (w *world) holdPacket(a accounts.PeerAccount, n uint64) (id ledger.ID) {
	w.t.Helper()
	return w.writePacket(w.book.PeerIDs(a).Peer, w.liquidity(), n, ledger.TransferPending)
}

func (w *world) liquidity() ledger.ID {
	ids, _ := w.book.AssetIDs(usd.Ledger)
	return ids.Liquidity
}

// suspenseDebt is the debit balance of suspense; 0 if it has a credit balance.
func (w *world) suspenseDebt() ledger.Amount {
	w.t.Helper()
	ids, _ := w.book.AssetIDs(usd.Ledger)
	found, err := w.ledger.LookupAccounts(context.Background(), []ledger.ID{ids.Suspense})
	require.NoError(w.t, err)
	return found[0].DebitsPosted.SubFloor(found[0].CreditsPosted)
}

func (w *world) writePacket(debit, credit ledger.ID, n uint64, flags ledger.TransferFlags) ledger.ID {
	w.t.Helper()
	return w.writeRow(ledger.Transfer{
		DebitAccountID: debit, CreditAccountID: credit, Amount: units(n),
		Ledger: usd.Ledger, Code: chart.CodePacket, Flags: flags,
	})
}

// closePeer closes a peer's ledger account; reopen opens it again.
func (w *world) closePeer(a accounts.PeerAccount) (reopen func()) {
	w.t.Helper()
	ids, _ := w.book.AssetIDs(usd.Ledger)
	closing := w.writePacket(w.book.PeerIDs(a).Peer, ids.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	return func() { w.writeRow(ledger.Transfer{PendingID: closing, Flags: ledger.TransferVoidPending}) }
}

func (w *world) writeRow(row ledger.Transfer) ledger.ID {
	w.t.Helper()
	w.mu.Lock()
	w.lastID++
	row.ID = ledger.NewID(w.lastID, w.number<<8|7)
	w.mu.Unlock()
	results, err := w.ledger.CreateTransfers(context.Background(), []ledger.Transfer{row})
	require.NoError(w.t, err)
	require.Equal(w.t, ledger.TransferCreated, results[0].Status)
	return row.ID
}

func (w *world) balance(a accounts.PeerAccount) accounts.Balance {
	w.t.Helper()
	b, err := w.book.Balance(context.Background(), a)
	require.NoError(w.t, err)
	return b
}

// requireConserved, at the end of a test: no unit was made, lost or left held, and the rail paid the booked amounts.
func (w *world) requireConserved(r *rail) {
	w.t.Helper()
	ledgertest.RequireNothingHeld(w.t, w.ledger)
	for _, a := range w.peers {
		require.Equal(w.t, r.totalPaid(a), w.balance(a).SettledOut, "paid at the rail and booked for %v", a)
	}
}

// manualConfig is a Config for an engine that settles only on call.
func manualConfig(s settlement.Settler, p settlement.Policy) settlement.Config {
	return settlement.Config{Rails: railsWith(s), Policies: settlement.Policies{Default: p}, Manual: true}
}

// railsWith pays every peer by a Settler.
func railsWith(s settlement.Settler) settlement.Rails {
	return settlement.Rails{Default: &settlement.Rail{Settler: s}}
}

// at100 pays down to 20 when 100 are owed.
var at100 = settlement.Threshold{SettleThreshold: units(100), SettleTo: units(20)}

func (w *world) engine(cfg settlement.Config) *settlement.Engine {
	w.t.Helper()
	return w.engineOn(w.ledger, cfg)
}

func (w *world) engineOn(l ledger.Ledger, cfg settlement.Config) *settlement.Engine {
	w.t.Helper()
	e, err := settlement.NewEngine(l, w.bookOn(l), cfg)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// rail is a settlement rail that pays once for each key.
type rail struct {
	// pays returns the amount paid for an order.
	pays func(settlement.Order) ledger.Amount
	// before and after can fail a call before and after the payment.
	before, after func(settlement.Order) error

	mu    sync.Mutex
	paid  map[ledger.ID]settlement.Payment
	calls map[ledger.ID]int
}

func newRail() *rail {
	return &rail{
		pays:   func(o settlement.Order) ledger.Amount { return o.Amount },
		before: func(settlement.Order) error { return nil },
		after:  func(settlement.Order) error { return nil },
		paid:   make(map[ledger.ID]settlement.Payment),
		calls:  make(map[ledger.ID]int),
	}
}

func (r *rail) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	r.mu.Lock()
	r.calls[o.ID]++
	r.mu.Unlock()
	if err := r.before(o); err != nil {
		return ledger.Amount{}, err
	}
	r.mu.Lock()
	p, known := r.paid[o.ID]
	if !known {
		p = settlement.Payment{Order: o, Paid: r.pays(o)}
		r.paid[o.ID] = p
	}
	r.mu.Unlock()
	return p.Paid, r.after(o)
}

// totalPaid is the sum of the payments to a peer.
func (r *rail) totalPaid(a accounts.PeerAccount) (sum ledger.Amount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.paid {
		if p.Order.Account == a {
			sum, _ = sum.Add(p.Paid)
		}
	}
	return sum
}

func (r *rail) countKeys() (paid, called int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.paid), len(r.calls)
}

// paidAmounts returns the amounts of payments.
func paidAmounts(payments []settlement.Payment) (list []uint64) {
	for _, p := range payments {
		n, _ := p.Paid.Uint64()
		list = append(list, n)
	}
	return list
}
