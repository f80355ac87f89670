package aggregate

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// limitedBook returns a book with limits, and alice and bob in USD.
func limitedBook(t *testing.T, cfg accounts.Config) (book *accounts.Book, alice, bob accounts.PeerAccount) {
	t.Helper()
	cfg.Assets = []accounts.Asset{usd, eur}
	book, err := accounts.NewBook(embedded.New(), cfg)
	require.NoError(t, err)
	alice, err = book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err = book.PeerAccount("bob", usd)
	require.NoError(t, err)
	return book, alice, bob
}

func usdLimits(l accounts.Limits) accounts.Config {
	return accounts.Config{Limits: accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: l},
	}}
}

// limitsOf returns the limits of a peer, which has some.
func limitsOf(t *testing.T, book *accounts.Book, a accounts.PeerAccount) *limits {
	t.Helper()
	l := newLimits(book, a)
	require.NotNil(t, l)
	require.NoError(t, l.fault)
	return l
}

// A book without limits has no limiter, and a peer without limits none; each single limit is one.
func TestWithoutLimits(t *testing.T) {
	t.Parallel()
	book, alice, _ := limitedBook(t, accounts.Config{})
	require.Nil(t, newLimiter(book))
	require.Nil(t, newLimits(book, alice))
	for _, single := range []accounts.Limits{
		{PayableCap: "1"}, {InFlightShare: "0.5"}, {MaxPacket: "1"}, {MaxHold: time.Second}, {PacketRate: "1/1s"}, {AmountRate: "1/1s"},
	} {
		book, alice, bob := limitedBook(t, usdLimits(single))
		require.NotNil(t, newLimiter(book), "%+v", single)
		limitsOf(t, book, alice)
		require.Nil(t, newLimits(book, bob))
	}
	floored, _, _ := limitedBook(t, accounts.Config{LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "0"}})
	require.NotNil(t, newLimiter(floored))
	other, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{{Code: "X", Ledger: 9}}})
	require.NoError(t, err)
	stranger, err := other.PeerAccount("alice", accounts.Asset{Code: "X", Ledger: 9})
	require.NoError(t, err)
	err = checkPacket(&transfers.Packet{}, nil, newLimits(floored, stranger))
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// A packet of exactly the sender's MaxPacket passes.
func TestCheckPacket(t *testing.T) {
	t.Parallel()
	book, alice, bob := limitedBook(t, usdLimits(accounts.Limits{MaxPacket: accounts.Decimal(usd.Format(ledger.NewAmount(100)))}))
	l := limitsOf(t, book, alice)
	p := transfers.Packet{From: alice, To: bob, In: 100, Out: 100}
	require.NoError(t, checkPacket(&p, l, nil))
	p.In++
	require.NoError(t, checkPacket(&p, nil, l), "the receiver's MaxPacket does not count")
	err := checkPacket(&p, l, nil)
	var limit *transfers.PacketLimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, transfers.PacketLimitError{
		Account: alice, Asset: usd, Cause: transfers.ErrPacketTooLarge, Limit: ledger.NewAmount(100), Wanted: ledger.NewAmount(101),
	}, *limit)
	require.NotNil(t, transfers.RejectData(err))
}

// The shorter MaxHold of two peers counts.
func TestShortestMaxHold(t *testing.T) {
	t.Parallel()
	long, short, none := &limits{}, &limits{}, &limits{}
	long.effective.MaxHold, short.effective.MaxHold = 30*time.Second, 20*time.Second
	for _, c := range []struct {
		a, b *limits
		want time.Duration
	}{{long, short, 20 * time.Second}, {short, long, 20 * time.Second}, {nil, long, 30 * time.Second}, {long, none, 30 * time.Second}, {none, nil, 0}, {nil, nil, 0}} {
		require.Equal(t, c.want, shortestMaxHold(c.a, c.b))
	}
}

// A packet beyond one of the two rates takes no token of either.
func TestTakeRate(t *testing.T) {
	t.Parallel()
	book, alice, _ := limitedBook(t, usdLimits(accounts.Limits{PacketRate: "3/1m", AmountRate: usd.Format(ledger.NewAmount(100)) + "/1m"}))
	l, now := limitsOf(t, book, alice), time.Unix(0, 0)
	refused := func(amount uint64, asset accounts.Asset, limit, used, wanted uint64) {
		t.Helper()
		var got *transfers.PacketLimitError
		require.ErrorAs(t, l.takeRate(amount, now), &got)
		require.Equal(t, transfers.PacketLimitError{
			Account: alice, Asset: asset, Cause: transfers.ErrRateLimited,
			Limit: ledger.NewAmount(limit), Used: ledger.NewAmount(used), Wanted: ledger.NewAmount(wanted),
		}, *got)
	}
	require.NoError(t, l.takeRate(60, now))
	refused(41, usd, 100, 60, 41)
	require.NoError(t, l.takeRate(40, now))
	require.NoError(t, l.takeRate(0, now))
	refused(0, accounts.Asset{}, 3, 3, 1)
	now = now.Add(20 * time.Second)
	refused(34, usd, 100, 67, 34)
	require.NoError(t, l.takeRate(33, now))
}

// What a packet does to our liquidity is what its flows do.
func TestFloorsFollowFlows(t *testing.T) {
	t.Parallel()
	book, alice, bob := limitedBook(t, accounts.Config{LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "0", eur: "0"}})
	euro, err := book.PeerAccount("alice", eur)
	require.NoError(t, err)
	ownUSD, err := book.OwnAccount(usd)
	require.NoError(t, err)
	ownEUR, err := book.OwnAccount(eur)
	require.NoError(t, err)
	r := newLimiter(book)
	list := []accounts.PeerAccount{alice, bob, euro, ownUSD, ownEUR}
	for _, from := range list {
		for _, to := range list {
			for _, p := range []transfers.Packet{{In: 7, Out: 5, Dust: 3}, {In: 5, Out: 7}, {In: 5, Out: 5}, {In: 5}, {Out: 5}, {In: 4, Out: 1, Dust: 4}} {
				if p.From, p.To = from, to; from.Ledger() == to.Ledger() {
					p.Dust = 0
				}
				flows, err := flowsOf(&p, true)
				require.NoError(t, err)
				want := map[uint32]int64{}
				want[from.Ledger()] += int64(flows.toLiquidity) - int64(flows.takeFirst)
				want[to.Ledger()] -= int64(flows.takeSecond)
				got := map[uint32]int64{}
				amounts := r.amountsOf(&p, nil, nil)
				for _, a := range amounts.all() {
					require.True(t, a.limits.account.IsOwn())
					require.Equal(t, p.From.IsOwn(), a.exempt)
					if got[a.limits.asset.Ledger] = amountOf(a.amount); a.direction == outgoing {
						got[a.limits.asset.Ledger] *= -1
					}
				}
				for number, net := range want {
					if net == 0 {
						delete(want, number)
					}
				}
				require.Equal(t, want, got, "%+v", p)
			}
		}
	}
}

// Packets from and to ourselves, and packets within an asset, are not checked.
func TestCheckConversion(t *testing.T) {
	t.Parallel()
	book, alice, bob := limitedBook(t, accounts.Config{})
	euro, err := book.PeerAccount("bob", eur)
	require.NoError(t, err)
	ownUSD, err := book.OwnAccount(usd)
	require.NoError(t, err)
	ownEUR, err := book.OwnAccount(eur)
	require.NoError(t, err)
	same, err := accounts.NewConverter(eur, usd, decimal.NewFromInt(1))
	require.NoError(t, err)
	guard := accounts.ConversionGuard{GuardConversions: true, Rate: func(from, _ accounts.Asset) *accounts.Converter {
		if from == eur {
			return same
		}
		return nil
	}}
	check := func(from, to accounts.PeerAccount, in, out uint64) error {
		return checkConversion(guard, book, &transfers.Packet{From: from, To: to, In: in, Out: out})
	}
	require.ErrorIs(t, check(alice, euro, 5, 0), transfers.ErrAmounts)
	require.NoError(t, check(alice, euro, 0, 5), "EUR allows a loss")
	require.ErrorIs(t, check(euro, alice, 0, 5), transfers.ErrAmounts)
	require.ErrorIs(t, check(euro, alice, 1, 1001), transfers.ErrAmounts)
	require.NoError(t, check(euro, alice, 1, 1000))
	require.NoError(t, check(alice, bob, 5, 0))
	require.NoError(t, check(ownUSD, euro, 5, 0))
	require.NoError(t, check(alice, ownEUR, 5, 0))
	require.NoError(t, checkConversion(accounts.ConversionGuard{}, book, &transfers.Packet{From: alice, To: euro, In: 5}))
}

// Sums beyond the largest amount are the largest amount: a cap is then used up.
func TestLargeSums(t *testing.T) {
	t.Parallel()
	book, alice, _ := limitedBook(t, usdLimits(accounts.Limits{PayableCap: "1"}))
	l := limitsOf(t, book, alice)
	l.readAccounts(&reading{credits: ledger.AmountMax})
	l.hold(ledger.NewAmount(5), outgoing)
	require.Equal(t, ledger.AmountMax, l.usedPayable())
	require.ErrorIs(t, l.checkCap(ledger.NewAmount(1), outgoing), transfers.ErrPayableCap)
	require.NoError(t, l.checkCap(ledger.Amount{}, outgoing), "0 uses nothing up")
}

// What others hold is not left for this recorder's reservations; what it holds itself is.
func TestLeftByOthers(t *testing.T) {
	t.Parallel()
	var none *limits
	require.EqualValues(t, maxReserved, none.leftByOthers())
	book, alice, _ := limitedBook(t, usdLimits(accounts.Limits{MaxHold: time.Second}))
	require.EqualValues(t, maxReserved, limitsOf(t, book, alice).leftByOthers())
	book, alice, _ = limitedBook(t, usdLimits(accounts.Limits{InFlightShare: "0.1"}))
	l := limitsOf(t, book, alice)
	l.readAccounts(&reading{line: ledger.NewAmount(1000), credits: ledger.NewAmount(50), held: sums{ledger.NewAmount(20), ledger.NewAmount(500)}})
	l.hold(ledger.NewAmount(90), incoming)
	require.EqualValues(t, 130, l.leftByOthers(), "a tenth of 1000, and 50 of its own, less 20")
	l.readAccounts(&reading{line: ledger.NewAmount(1000), held: sums{ledger.NewAmount(200)}})
	require.Zero(t, l.leftByOthers())
}

// A look-up without accounts finds nothing owed and nothing held.
func TestReadingOfMissingAccounts(t *testing.T) {
	t.Parallel()
	require.Equal(t, reading{}, *peerReading(nil, nil, nil, nil, ledger.NewAmount(5)))
}
