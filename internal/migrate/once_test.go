package migrate

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// connector has all parts that book on a ledger, and a rail whose answers the test sets.
type connector struct {
	t        *testing.T
	l        ledger.Ledger
	book     *accounts.Book
	engine   *settlement.Engine
	recorder *transfers.Recorder
	pending  bool               // the rail answers ErrPending
	paid     []settlement.Order // orders paid by the rail
}

func newConnector(t *testing.T, c *clock, l ledger.Ledger) *connector {
	t.Helper()
	d := &connector{t: t, l: l}
	var err error
	d.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Millisecond})
	require.NoError(t, err)
	d.engine, err = settlement.NewEngine(l, d.book, settlement.Config{
		Manual: true, Clock: c.currentTime, Rails: settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(d.settleOrder)}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(400)}},
	})
	require.NoError(t, err)
	d.recorder, err = transfers.NewRecorder(l, d.book, transfers.Config{Clock: c.currentTime})
	require.NoError(t, err)
	return d
}

func (d *connector) settleOrder(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	if d.pending {
		return ledger.Amount{}, settlement.ErrPending
	}
	d.paid = append(d.paid, o)
	return o.Amount, nil
}

func (d *connector) closeAll() {
	d.t.Helper()
	require.NoError(d.t, d.recorder.Close(d.t.Context()))
	require.NoError(d.t, d.engine.Close(d.t.Context()))
}

// provisionPeers returns accounts with a line of 1,000, in the order of names.
func (d *connector) provisionPeers(names ...string) []accounts.PeerAccount {
	d.t.Helper()
	var all []accounts.PeerConfig
	for _, name := range names {
		all = append(all, accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(1000)})
	}
	handles, err := d.book.Provision(d.t.Context(), all...)
	require.NoError(d.t, err)
	return handles
}

// whileClosed calls a function while a peer is closed.
func (d *connector) whileClosed(a accounts.PeerAccount, do func()) {
	d.t.Helper()
	require.NoError(d.t, d.book.ClosePeer(d.t.Context(), a, accounts.WithForce(), accounts.WithReasonCode(1)))
	do()
	require.NoError(d.t, d.book.ReopenPeer(d.t.Context(), a))
}

// forwardPacket books an already fulfilled packet.
func (d *connector) forwardPacket(p transfers.Packet) transfers.Packet {
	d.t.Helper()
	done, err := d.recorder.Forward(d.t.Context(), p)
	require.NoError(d.t, err)
	return done.Packet
}

// migrateTwice copies a ledger into a new one, twice.
func migrateTwice(t *testing.T, c *clock, from ledger.Ledger) (ledger.Ledger, Result) {
	t.Helper()
	to := newLedger(t, c)
	c.advance(time.Hour)
	first, err := newMigration(t, c, from, to, 7).runSteps()
	require.NoError(t, err)
	again, err := newMigration(t, c, from, to, 2000).runSteps()
	require.NoError(t, err)
	require.Equal(t, again.Accounts+again.Transfers+again.Expired, again.AlreadyCopied)
	require.Equal(t, first.Burnt, again.Burnt)
	return to, first
}

// readSums returns the posted and pending sums of all accounts.
func readSums(t *testing.T, l ledger.Ledger) map[ledger.ID][4]ledger.Amount {
	t.Helper()
	all, err := l.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 1000})
	require.NoError(t, err)
	figures := map[ledger.ID][4]ledger.Amount{}
	for _, a := range all {
		figures[a.ID] = [4]ledger.Amount{a.DebitsPosted, a.CreditsPosted, a.DebitsPending, a.CreditsPending}
	}
	return figures
}

// racing calls a function before the next request that books.
type racing struct {
	ledger.Ledger
	before func()
}

func (r *racing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if do := r.before; do != nil {
		r.before = nil
		do()
	}
	return r.Ledger.CreateTransfers(ctx, rows)
}

// keyedBookings returns calls that book under a key, for a connector with the peers alice, bob and
// carol. Each call reports whether the key was already booked.
func keyedBookings(peers []accounts.PeerAccount) map[string]func(context.Context, *connector) (bool, error) {
	alice, bob, carol := peers[0], peers[1], peers[2]
	receive := func(a accounts.PeerAccount, key string) func(context.Context, *connector) (bool, error) {
		return func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: a, Key: key, Amount: units(50)})
			return got.AlreadyBooked, err
		}
	}
	adjust := func(a accounts.Adjustment) func(context.Context, *connector) (bool, error) {
		a.ReasonCode = 1
		return func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.book.Adjust(ctx, a)
			return got.AlreadyBooked, err
		}
	}
	voucher := func(cumulative uint64) func(context.Context, *connector) (bool, error) {
		return func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.engine.RecordVoucher(ctx, settlement.Voucher{Account: carol, Channel: "c", Cumulative: units(cumulative)})
			return got.AlreadyBooked, err
		}
	}
	paid := func(a accounts.PeerAccount, key string) func(context.Context, *connector) (bool, error) {
		return func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.engine.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: a, Key: key, Amount: units(30), BeyondHeadroom: true})
			return got.AlreadyBooked, err
		}
	}
	returned := func(a accounts.PeerAccount, key, payment string) func(context.Context, *connector) (bool, error) {
		return func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: a, Key: key, Payment: payment, Amount: units(20)})
			return got.AlreadyBooked, err
		}
	}
	return map[string]func(context.Context, *connector) (bool, error){
		"received":                 receive(alice, "in"),
		"received while closed":    receive(carol, "closed"),
		"paid":                     paid(alice, "out"),
		"paid while closed":        paid(carol, "out"),
		"returned":                 returned(alice, "back", "in"),
		"returned while closed":    returned(carol, "back", "early"),
		"received early":           receive(carol, "early"),
		"credited":                 adjust(accounts.Adjustment{Account: alice, Key: "credit", Credit: units(7)}),
		"debited":                  adjust(accounts.Adjustment{Account: alice, Key: "debit", Debit: units(9)}),
		"debited after a race":     adjust(accounts.Adjustment{Account: alice, Key: "race", Debit: units(600)}),
		"debited while closed":     adjust(accounts.Adjustment{Account: carol, Key: "closed", Debit: units(11), BeyondHeadroom: true}),
		"voucher while closed":     voucher(30),
		"voucher":                  voucher(45),
		"debited beyond":           adjust(accounts.Adjustment{Account: bob, Key: "beyond", Debit: units(3000), BeyondHeadroom: true}),
		"written off while closed": writeOffOnce(carol, 13),
		"written off":              writeOffOnce(bob, 5),
		"put in": func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.book.Fund(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: units(1000)})
			return got.AlreadyBooked, err
		},
		"taken out": func(ctx context.Context, d *connector) (bool, error) {
			got, err := d.book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: units(100)})
			return got.AlreadyBooked, err
		},
	}
}

func writeOffOnce(a accounts.PeerAccount, amount uint64) func(context.Context, *connector) (bool, error) {
	return func(ctx context.Context, d *connector) (bool, error) {
		got, err := d.book.WriteOff(ctx, accounts.WriteOff{Account: a, Key: units(amount).String(), Amount: units(amount), ReasonCode: 1})
		return got.AlreadyBooked, err
	}
}

// A key is booked once, also by calls repeated after a migration, whichever attempt was booked.
func TestKeysAreBookedOnceAfterAMove(t *testing.T) {
	t.Parallel()
	c := newClock()
	from := newLedger(t, c)
	old := newConnector(t, c, from)
	peers := old.provisionPeers("alice", "bob", "carol")
	bookings := keyedBookings(peers)
	booked := map[string]bool{}
	do := func(name string) {
		t.Helper()
		already, err := bookings[name](t.Context(), old)
		require.NoError(t, err, name)
		require.False(t, already, name)
		booked[name] = true
	}
	// A packet overtakes the debit, whose first id is burnt.
	race := &racing{Ledger: from, before: func() { old.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 500, Out: 500}) }}
	overtaken := newConnector(t, c, race)
	_, err := bookings["debited after a race"](t.Context(), overtaken)
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	overtaken.closeAll()
	old.forwardPacket(transfers.Packet{From: peers[1], To: peers[0], In: 500, Out: 500})
	for _, name := range []string{"received", "paid", "returned", "credited", "debited", "debited after a race", "put in", "taken out", "received early", "debited beyond", "written off"} {
		do(name)
	}
	old.whileClosed(peers[2], func() {
		for _, name := range []string{
			"received while closed", "voucher while closed", "paid while closed", "returned while closed", "debited while closed",
			"written off while closed",
		} {
			do(name)
		}
	})
	do("voucher")
	require.Len(t, booked, len(bookings))
	old.closeAll()

	to, _ := migrateTwice(t, c, from)
	moved := newConnector(t, c, to)
	require.Equal(t, peers, moved.provisionPeers("alice", "bob", "carol"))
	want := readSums(t, to)
	for name, book := range bookings {
		if name == "voucher while closed" {
			continue // a higher voucher is booked
		}
		already, err := book(t.Context(), moved)
		require.NoError(t, err, name)
		require.True(t, already, name)
	}
	_, err = bookings["voucher while closed"](t.Context(), moved)
	require.ErrorIs(t, err, settlement.ErrVoucherLower)
	require.Equal(t, want, readSums(t, to))
	moved.closeAll()
	ledgertest.RequireConserved(t, to)
}

// A packet booked as a correction is answered as a conflict after a migration, whichever correction
// it was, and not booked again.
func TestForwardsAreBookedOnceAfterAMove(t *testing.T) {
	t.Parallel()
	c := newClock()
	from := newLedger(t, c)
	old := newConnector(t, c, from)
	peers := old.provisionPeers("alice", "bob", "carol")
	own, err := old.book.OwnAccount(usd)
	require.NoError(t, err)
	packets := []transfers.Packet{
		old.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9}),      // at once
		old.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 1500, Out: 1400}), // beyond the line
		old.forwardPacket(transfers.Packet{From: own, To: peers[1], In: 5, Out: 5}),
	}
	old.whileClosed(peers[2], func() {
		packets = append(packets, old.forwardPacket(transfers.Packet{From: peers[2], To: peers[1], In: 20, Out: 20})) // without the sender's leg
	})
	_, err = old.engine.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: peers[0], Key: "room", Amount: units(5000)})
	require.NoError(t, err)
	old.closeAll()

	to, result := migrateTwice(t, c, unlisted{from})
	require.Positive(t, result.Burnt)
	moved := newConnector(t, c, to)
	want := readSums(t, to)
	for i, p := range packets {
		_, err := moved.recorder.Forward(t.Context(), p)
		require.Error(t, err, "packet %d", i)
	}
	require.Equal(t, want, readSums(t, to))
	moved.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9}) // a new packet
	moved.closeAll()
	ledgertest.RequireConserved(t, to)
}

// From a server, the ids of the earlier phases of a correction are burnt, for packets only.
func TestBurnEarlierPhases(t *testing.T) {
	t.Parallel()
	c := newClock()
	from := newLedger(t, c)
	a, b := ledger.NewID(1, 0), ledger.NewID(2, 0)
	_, err := from.CreateAccounts(t.Context(), []ledger.Account{{ID: a, Ledger: 1, Code: 1}, {ID: b, Ledger: 1, Code: 1}})
	require.NoError(t, err)
	row := func(packet, low uint64, code uint16) ledger.Transfer {
		return ledger.Transfer{
			ID: ledger.NewID(packet<<8|low, 9), DebitAccountID: a, CreditAccountID: b, Amount: units(1), Ledger: 1, Code: code,
			UserData128: uint128.Uint128(ledger.NewID(packet<<8, 9)),
		}
	}
	other := row(8, 0x05, 5)
	other.UserData128 = uint128.From64(7) // the id belongs to no packet
	rows := []ledger.Transfer{
		row(1, 0x14, 5), row(2, 0x25, 5), row(3, 0x0e, 5), row(4, 0x1f, 5), row(5, 0x05, 1), row(6, 0x03, 5), row(7, 0x01, 5), other,
		row(9, 0x05, 5), row(9, 0x03, 1), // booked twice before: rows in the ledger are copied
	}
	results, err := from.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.TransferCreated, r.Status)
	}
	to, result := migrateTwice(t, c, unlisted{from})
	want := map[uint64][]uint64{1: {0x13}, 2: {0x23, 0x24}, 3: {0x03, 0x04, 0x05}, 4: {0x13, 0x14, 0x15, 0x1e}, 9: {0x04}}
	burnt := 0
	for packet := range uint64(10) {
		for low := range uint64(256) {
			probe := row(packet, low, 1)
			if slices.ContainsFunc(rows, func(t ledger.Transfer) bool { return t.ID == probe.ID }) || packet == 0 {
				continue
			}
			results, err := to.CreateTransfers(t.Context(), []ledger.Transfer{probe})
			require.NoError(t, err)
			if slices.Contains(want[packet], low) {
				require.Equal(t, ledger.TransferIDAlreadyFailed, results[0].Status, "%d %x", packet, low)
				burnt++
				continue
			}
			require.Equal(t, ledger.TransferCreated, results[0].Status, "%d %x", packet, low)
		}
	}
	require.Equal(t, burnt, result.Burnt)
}

// An open order is migrated and paid once; a resolved order stays resolved.
func TestOrdersAfterAMove(t *testing.T) {
	t.Parallel()
	c := newClock()
	from := newLedger(t, c)
	old := newConnector(t, c, from)
	peers := old.provisionPeers("alice", "bob", "carol")
	old.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 500, Out: 500})
	paid, err := old.engine.Settle(t.Context(), peers...)
	require.NoError(t, err)
	require.Len(t, paid, 1)
	old.forwardPacket(transfers.Packet{From: peers[0], To: peers[2], In: 450, Out: 450})
	old.pending = true
	_, _ = old.engine.Settle(t.Context(), peers...)
	open, err := old.engine.Orders(t.Context(), peers...)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, units(450), open[0].Amount)
	require.NoError(t, old.recorder.Close(t.Context()))
	var stays *settlement.OpenOrdersError
	require.ErrorAs(t, old.engine.Close(t.Context()), &stays)

	to, _ := migrateTwice(t, c, from)
	moved := newConnector(t, c, to)
	for range 2 {
		c.advance(time.Hour)
		_, err = moved.engine.Settle(t.Context(), peers...)
		require.NoError(t, err)
	}
	require.Len(t, moved.paid, 1)
	require.Equal(t, open[0].ID, moved.paid[0].ID, "the rail knows it by this key")
	require.Equal(t, units(450), moved.paid[0].Amount)
	balances, err := moved.book.Balances(t.Context(), peers...)
	require.NoError(t, err)
	require.Equal(t, units(500), balances[1].SettledOut)
	require.Equal(t, units(450), balances[2].SettledOut)
	moved.closeAll()
	ledgertest.RequireConserved(t, to)
	ledgertest.RequireNothingHeld(t, to)
}

// Changes of a line continue after the newest one, also if ids of others were burnt.
func TestLinesAfterAMove(t *testing.T) {
	t.Parallel()
	c := newClock()
	from := newLedger(t, c)
	old := newConnector(t, c, from)
	peers := old.provisionPeers("alice", "bob")
	alice := peers[0]
	race := &racing{Ledger: from, before: func() { old.forwardPacket(transfers.Packet{From: alice, To: peers[1], In: 900, Out: 900}) }}
	overtaken := newConnector(t, c, race)
	_, err := overtaken.book.RevokeCredit(t.Context(), alice, units(500))
	require.ErrorIs(t, err, accounts.ErrLineInUse)
	overtaken.closeAll()
	before, err := old.book.ExtendCredit(t.Context(), alice, units(200))
	require.NoError(t, err)
	old.closeAll()

	to, _ := migrateTwice(t, c, from)
	moved := newConnector(t, c, to)
	same, err := moved.book.SetCreditLine(t.Context(), alice, units(1200))
	require.NoError(t, err)
	require.Equal(t, same.Before, same.After)
	_, err = moved.book.ExtendCredit(t.Context(), alice, units(200), accounts.WithExpectedLine(units(1000)))
	require.ErrorIs(t, err, accounts.ErrLineConflict)
	after, err := moved.book.ExtendCredit(t.Context(), alice, units(1))
	require.NoError(t, err)
	require.Equal(t, before.Number+1, after.Number)
	require.Equal(t, units(1201), after.After)
	moved.closeAll()
	ledgertest.RequireConserved(t, to)
}
