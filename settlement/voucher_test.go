package settlement_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// newVoucher is a voucher of alice's on a channel.
func (w *world) newVoucher(channel string, cumulative uint64) settlement.Voucher {
	return settlement.Voucher{Account: w.alice, Channel: channel, Cumulative: units(cumulative)}
}

func TestVoucherBooksItsIncrease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.spend(w.alice, 50) // owed by alice
	e := w.engine(settlement.Config{})
	for _, c := range []struct {
		channel                      string
		cumulative, increase, number uint64
		already                      bool
	}{
		{"a", 30, 30, 1, false},
		{"a", 30, 30, 1, true},
		{"a", 45, 15, 2, false},
		{"b", 10, 10, 1, false}, // a new channel begins at 0
		{"a", 46, 1, 3, false},
		{"a", 46, 1, 3, true},
	} {
		receipt, err := e.RecordVoucher(t.Context(), w.newVoucher(c.channel, c.cumulative))
		require.NoError(t, err)
		require.Equal(t, units(c.increase), receipt.Amount)
		require.Equal(t, units(c.cumulative), receipt.Cumulative)
		require.Equal(t, c.already, receipt.AlreadyBooked)
		require.Equal(t, uint32(c.number), receipt.Number)
		require.False(t, receipt.InSuspense)
	}
	_, err := e.RecordVoucher(t.Context(), w.newVoucher("a", 45))
	require.ErrorIs(t, err, settlement.ErrVoucherLower)
	require.ErrorContains(t, err, `book 0.45 USD for alice on ledger 1 under key "a": settlement: a higher voucher of the channel is booked: 0.46 USD`)

	b := w.balance(w.alice)
	require.Equal(t, units(56), b.SettledIn)
	require.Equal(t, units(6), b.Payable, "the rest is prepaid")
	require.Equal(t, units(6), b.Prepaid)
	ledgertest.RequireConserved(t, w.ledger)
}

func TestExposure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	e := w.engineOn(narrowQueries{w.ledger}, settlement.Config{})
	empty, err := e.Exposure(t.Context(), w.alice, "a")
	require.NoError(t, err)
	require.Equal(t, settlement.Exposure{Account: w.alice}, empty)

	for _, v := range []settlement.Voucher{w.newVoucher("a", 30), w.newVoucher("b", 5), w.newVoucher("a", 100)} {
		_, err := e.RecordVoucher(t.Context(), v)
		require.NoError(t, err)
	}
	for range 2 {
		_, err = e.RecordRedemption(t.Context(), w.newVoucher("a", 70))
		require.NoError(t, err)
	}
	_, err = e.RecordRedemption(t.Context(), w.newVoucher("a", 69))
	require.ErrorIs(t, err, settlement.ErrVoucherLower, "more was redeemed")
	last, err := e.RecordRedemption(t.Context(), w.newVoucher("c", 8))
	require.NoError(t, err, "a voucher that was not booked yet")
	require.False(t, last.AlreadyBooked)

	x, err := e.Exposure(t.Context(), w.alice, "a", "c", "of nobody")
	require.NoError(t, err)
	for i := range x.Channels {
		require.False(t, x.Channels[i].BookedAt.IsZero())
		x.Channels[i].BookedAt = x.Channels[0].BookedAt
	}
	since := x.Channels[0].BookedAt
	require.Equal(t, settlement.Exposure{
		Account: w.alice, Claimed: units(113), Final: units(78), Unredeemed: units(35),
		Channels: []settlement.ChannelExposure{
			{Channel: "a", Claimed: units(100), Final: units(70), Unredeemed: units(30), BookedAt: since},
			{Claimed: units(5), Unredeemed: units(5), BookedAt: since},
			{Channel: "c", Claimed: units(8), Final: units(8), BookedAt: since},
		},
	}, x)
	require.Equal(t, units(113), w.balance(w.alice).SettledIn, "marks of what is final move nothing")
	other, err := e.Exposure(t.Context(), w.peers[1])
	require.NoError(t, err)
	require.Empty(t, other.Channels)
	ledgertest.RequireConserved(t, w.ledger)
}

// Any number of processes that receive vouchers in any order together book the highest one.
func TestVouchersReceivedByManyAtOnce(t *testing.T) {
	t.Parallel()
	vouchersByMany(t, newWorld(t))
}

func vouchersByMany(t *testing.T, w *world) {
	t.Helper()
	seed := ledgertest.Seed(t)
	highest := map[string]uint64{}
	var mu sync.Mutex
	var receivers sync.WaitGroup
	for i := range 8 {
		e := w.engine(settlement.Config{})
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		receivers.Go(func() {
			for range 50 {
				channel, cumulative := fmt.Sprint(random.IntN(3)), random.Uint64N(1000)+1
				mu.Lock()
				highest[channel] = max(highest[channel], cumulative)
				mu.Unlock()
				_, err := e.RecordVoucher(t.Context(), w.newVoucher(channel, cumulative))
				if err != nil {
					require.ErrorIs(t, err, settlement.ErrVoucherLower)
				}
			}
		})
	}
	receivers.Wait()
	var sum uint64
	for _, n := range highest {
		sum += n
	}
	require.Equal(t, units(sum), w.balance(w.alice).SettledIn)
	x, err := w.engine(settlement.Config{}).Exposure(t.Context(), w.alice, "0", "1", "2")
	require.NoError(t, err)
	require.Equal(t, units(sum), x.Unredeemed)
	for _, c := range x.Channels {
		require.Equal(t, units(highest[c.Channel]), c.Claimed)
	}
	ledgertest.RequireConserved(t, w.ledger)
}

// A process ends before and after each of its requests, and the peer sends the voucher again.
func TestVoucherCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for step := 0; voucherCrashAt(t, step); step++ {
		require.Less(t, step, 100)
	}
}

func voucherCrashAt(t *testing.T, step int) (crashed bool) {
	t.Helper()
	w := newWorld(t)
	_, err := w.engine(settlement.Config{}).RecordVoucher(t.Context(), w.newVoucher("a", 30))
	require.NoError(t, err)
	point := 0
	ends := func() error {
		crashed = crashed || point == step
		point++
		if crashed {
			return errCrash
		}
		return nil
	}
	l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault { return fault{before: ends(), after: ends()} }}
	first := w.engineOn(l, settlement.Config{})
	_, err = first.RecordVoucher(t.Context(), w.newVoucher("a", 50))
	if err == nil {
		_, err = first.RecordRedemption(t.Context(), w.newVoucher("a", 50))
	}
	if crashed {
		require.ErrorIs(t, err, errCrash)
	}
	e := w.engine(settlement.Config{})
	_, err = e.RecordVoucher(t.Context(), w.newVoucher("a", 50))
	require.NoError(t, err)
	_, err = e.RecordRedemption(t.Context(), w.newVoucher("a", 50))
	require.NoError(t, err)
	require.Equal(t, units(50), w.balance(w.alice).SettledIn)
	x, err := e.Exposure(t.Context(), w.alice)
	require.NoError(t, err)
	require.Zero(t, x.Unredeemed)
	ledgertest.RequireConserved(t, w.ledger)
	return crashed
}

// A voucher of a closed peer goes to suspense, and the next voucher counts only its increase.
func TestVoucherOfAClosedPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	reopen := w.closePeer(w.alice)
	for _, already := range []bool{false, true} {
		receipt, err := e.RecordVoucher(t.Context(), w.newVoucher("a", 30))
		require.NoError(t, err)
		require.True(t, receipt.InSuspense)
		require.Equal(t, already, receipt.AlreadyBooked)
	}
	reopen()
	receipt, err := e.RecordVoucher(t.Context(), w.newVoucher("a", 50))
	require.NoError(t, err)
	require.Equal(t, units(20), receipt.Amount)
	require.Equal(t, units(20), w.balance(w.alice).Payable)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestVouchersThatCannotBeBooked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	own, err := w.book.OwnAccount(usd)
	require.NoError(t, err)
	nobody, err := w.book.PeerAccount("nobody", usd)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		voucher settlement.Voucher
		want    error
		field   string
	}{
		"our own account": {settlement.Voucher{Account: own, Channel: "a", Cumulative: units(1)}, accounts.ErrInvalid, "Account"},
		"no account":      {settlement.Voucher{Channel: "a", Cumulative: units(1)}, accounts.ErrInvalid, "Account"},
		"no channel":      {settlement.Voucher{Account: w.alice, Cumulative: units(1)}, accounts.ErrInvalid, "Channel"},
		"nothing":         {settlement.Voucher{Account: w.alice, Channel: "a"}, accounts.ErrInvalid, "Cumulative"},
		"all there is":    {settlement.Voucher{Account: w.alice, Channel: "a", Cumulative: ledger.AmountMax}, accounts.ErrInvalid, "Cumulative"},
		"not provisioned": {settlement.Voucher{Account: nobody, Channel: "a", Cumulative: units(1)}, accounts.ErrNotProvisioned, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, receive := range []func(context.Context, settlement.Voucher) (settlement.VoucherBooking, error){
				e.RecordVoucher, e.RecordRedemption,
			} {
				_, err := receive(t.Context(), c.voucher)
				require.ErrorIs(t, err, c.want)
				require.ErrorContains(t, err, c.field)
				var booking *settlement.BookingError
				require.ErrorAs(t, err, &booking)
			}
		})
	}
	// A row with the largest number.
	tag := chart.Namespace("").Derive("channel", []byte("full")).Hi
	ids, ownIDs := w.book.PeerIDs(w.alice), func() accounts.AssetIDs { ids, _ := w.book.AssetIDs(1); return ids }()
	w.writeRow(ledger.Transfer{
		DebitAccountID: ids.Settlement, CreditAccountID: ownIDs.Suspense, Amount: units(1),
		Ledger: 1, Code: chart.CodeVoucher, UserData64: tag, UserData32: 1<<32 - 1,
	})
	_, err = e.RecordVoucher(t.Context(), w.newVoucher("full", 5))
	require.ErrorIs(t, err, settlement.ErrChannelFull)

	closed := w.engine(settlement.Config{})
	require.NoError(t, closed.Close(t.Context()))
	_, err = closed.RecordVoucher(t.Context(), w.newVoucher("a", 1))
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	ledgertest.RequireConserved(t, w.ledger)
}

func ExampleEngine_RecordVoucher() {
	ctx := context.Background()
	engine, alice := exampleEngine()
	for _, cents := range []uint64{500, 800, 800, 600} {
		receipt, err := engine.RecordVoucher(ctx, settlement.Voucher{
			Account: alice, Channel: "channel 7", Cumulative: ledger.NewAmount(cents),
		})
		fmt.Println(cents, "booked:", receipt.Amount, "already:", receipt.AlreadyBooked, "error:", err != nil)
	}
	if _, err := engine.RecordRedemption(ctx, settlement.Voucher{
		Account: alice, Channel: "channel 7", Cumulative: ledger.NewAmount(500),
	}); err != nil {
		fmt.Println(err)
	}
	exposure, err := engine.Exposure(ctx, alice, "channel 7")
	fmt.Println("claimed", exposure.Claimed, "final", exposure.Final, "open", exposure.Unredeemed, err)
	// Output:
	// 500 booked: 500 already: false error: false
	// 800 booked: 300 already: false error: false
	// 800 booked: 300 already: true error: false
	// 600 booked: 0 already: false error: true
	// claimed 800 final 500 open 300 <nil>
}
