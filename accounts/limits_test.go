package accounts_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func bookWith(t *testing.T, limits accounts.Rules[accounts.Limits], change ...func(*accounts.Config)) *accounts.Book {
	t.Helper()
	cfg := accounts.Config{Assets: []accounts.Asset{usd, xrp}, Limits: limits}
	for _, f := range change {
		f(&cfg)
	}
	book, err := accounts.NewBook(newLedger(t), cfg)
	require.NoError(t, err)
	return book
}

func TestLimitsByLevel(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {CreditLine: "5", InFlightShare: "0.25"}},
		Peer:      map[string]accounts.Limits{"alice": {CreditLine: "4", PayableCap: "9"}, "bob": {CreditLine: "0", PayableCap: "unlimited"}},
		Asset:     map[accounts.Asset]accounts.Limits{usd: {CreditLine: "1", PayableCap: "100", InFlightShare: "0.5"}},
	}, func(c *accounts.Config) { c.Ceilings = map[accounts.Asset]accounts.Decimal{xrp: "3.5"} })
	require.True(t, book.HasCaps())
	for _, c := range []struct {
		peer               string
		asset              accounts.Asset
		line, payable      string // whole units
		capped, heldCapped bool
		share              string
	}{
		{"alice", usd, "5", "9", true, true, "0.25"},
		{"alice", xrp, "3.5", "9", true, false, "1"}, // cut by the ceiling
		{"bob", usd, "0", "", false, true, "0.5"},
		{"carol", usd, "1", "100", true, true, "0.5"},
		{"carol", xrp, "0", "", false, false, "1"}, // unset limits grant nothing
	} {
		a, err := book.PeerAccount(c.peer, c.asset)
		require.NoError(t, err)
		got, err := book.EffectiveLimits(a)
		require.NoError(t, err)
		require.Equal(t, c.line, c.asset.Decimal(got.CreditLine).String(), c)
		require.Equal(t, c.capped, got.PayableCapped, c)
		if c.capped {
			require.Equal(t, c.payable, c.asset.Decimal(got.PayableCap).String(), c)
		}
		require.Equal(t, c.heldCapped, got.InFlightCapped, c)
		require.Equal(t, c.share, got.InFlightShare.String(), c)
	}
	require.False(t, bookWith(t, accounts.Rules[accounts.Limits]{}).HasCaps())

	third := bookWith(t, accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{usd: {InFlightShare: "0.333333333"}}})
	allowed, err := third.EffectiveLimits(mustAccount(t, third, "alice"))
	require.NoError(t, err)
	require.Equal(t, units(333), allowed.InFlightCap(units(1000)))
	require.Equal(t, "26409387478345391693093204247", allowed.InFlightCap(accounts.Unlimited).String())
}

func TestLimitsThatCannotBe(t *testing.T) {
	t.Parallel()
	cents := accounts.Asset{Code: "USD", Scale: 2, Ledger: 3}
	all := func(a accounts.Asset, l accounts.Limits) accounts.Rules[accounts.Limits] {
		return accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{a: l}}
	}
	for _, c := range []struct {
		field  string
		limits accounts.Rules[accounts.Limits]
	}{
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "-1"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "1e9"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "much"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "79228162514264337593.543950337"})}, // one unit above 2^96
		{"CreditLine", all(cents, accounts.Limits{CreditLine: "0.001"})},
		{"CreditLine", accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"alice": {CreditLine: "0.001"}}}}, // too many decimals for one of the assets
		{"PayableCap", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {PayableCap: "x"}}}},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "1.1"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "-0"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "0.1234567891"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "half"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "."})},
		{"CreditLine", accounts.Rules[accounts.Limits]{Default: accounts.Limits{CreditLine: "0.001"}}},
		{"Asset", all(accounts.Asset{Code: "USD", Scale: 3, Ledger: 1}, accounts.Limits{})},
		{"Peer", accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"": {}}}},
		{"PeerAsset", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "\xff", Asset: usd}: {}}}},
		{"PeerAsset", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice"}: {}}}},
	} {
		_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd, xrp, cents}, Limits: c.limits})
		requireField(t, err, c.field)
	}
	_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}, SuspensionPollInterval: -1})
	requireField(t, err, "SuspensionPollInterval")
	for _, ceilings := range []map[accounts.Asset]accounts.Decimal{{usd: "-5"}, {{Code: "EUR", Ledger: 7}: "5"}} {
		_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}, Ceilings: ceilings})
		requireField(t, err, "Ceilings")
	}
}

func TestThresholdsThatCannotBe(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{})
	for _, c := range []struct {
		field      string
		thresholds accounts.LiquidityThresholds
	}{
		{"Low", accounts.LiquidityThresholds{Low: "-1"}},
		{"High", accounts.LiquidityThresholds{High: "x"}},
		{"Margin", accounts.LiquidityThresholds{Margin: "1e1"}},
		{"Low", accounts.LiquidityThresholds{Low: "5", High: "5"}},
	} {
		_, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{usd: c.thresholds})
		requireField(t, err, c.field)
	}
	_, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{{Code: "EUR", Ledger: 1}: {}})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// failing fails look-ups while away is set.
type failing struct {
	ledger.Ledger
	away atomic.Bool
}

func (f *failing) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if f.away.Load() {
		return nil, errors.New("away")
	}
	return f.Ledger.LookupAccounts(ctx, ids)
}

func TestAlertsRunOnceARound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := embedded.New()
		defer func() { require.NoError(t, inner.Close()) }()
		l := &failing{Ledger: inner}
		book := newBook(t, l)
		provision(t, book, 0, "alice")
		w, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{usd: {Low: "0.000000001"}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var events []accounts.ThresholdEvent
		var failed []error
		ended := make(chan error)
		go func() {
			ended <- w.Run(ctx, func(a accounts.LiquidityAlert) { events = append(events, a.Kind) }, func(err error) { failed = append(failed, err) })
		}()
		pass := func(d time.Duration) {
			time.Sleep(d) //nolint:forbidigo // virtual time
			synctest.Wait()
		}
		pass(2500 * time.Millisecond)
		require.Equal(t, []accounts.ThresholdEvent{accounts.LowReached}, events, "once, in three rounds")
		_, err = book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "k", Amount: units(100)})
		require.NoError(t, err)
		l.away.Store(true)
		pass(2 * time.Second)
		require.Len(t, failed, 2)
		require.Len(t, events, 1)
		l.away.Store(false)
		pass(time.Second)
		require.Equal(t, []accounts.ThresholdEvent{accounts.LowReached, accounts.LowCleared}, events)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestPacketLimitsByLevel(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {MaxPacket: "5", AmountRate: "2.5/1h"}},
		Peer:      map[string]accounts.Limits{"alice": {MaxPacket: "4", MaxHold: time.Hour}, "bob": {MaxPacket: "unlimited", PacketRate: "unlimited"}},
		Asset:     map[accounts.Asset]accounts.Limits{usd: {MaxPacket: "1", MaxHold: time.Minute, PacketRate: "100/1m", AmountRate: "unlimited"}},
	})
	require.True(t, book.HasPacketLimits())
	require.False(t, book.HasCaps())
	perMinute, perHour := accounts.Rate{Count: 100, Per: time.Minute}, accounts.Rate{Count: 2_500_000_000, Per: time.Hour}
	for _, c := range []struct {
		peer  string
		asset accounts.Asset
		max   string // whole units
		want  accounts.PacketLimits
	}{
		{"alice", usd, "5", accounts.PacketLimits{MaxHold: time.Hour, PacketRate: perMinute, AmountRate: perHour}},
		{"alice", xrp, "4", accounts.PacketLimits{MaxHold: time.Hour}},
		{"bob", usd, "0", accounts.PacketLimits{MaxHold: time.Minute}},
		{"carol", usd, "1", accounts.PacketLimits{MaxHold: time.Minute, PacketRate: perMinute}},
		{"carol", xrp, "0", accounts.PacketLimits{}},
	} {
		a, err := book.PeerAccount(c.peer, c.asset)
		require.NoError(t, err)
		got, err := book.EffectiveLimits(a)
		require.NoError(t, err)
		require.Equal(t, c.max, c.asset.Decimal(got.MaxPacket).String(), c)
		c.want.MaxPacket = got.MaxPacket
		require.Equal(t, c.want, got.PacketLimits, c)
	}
	require.False(t, bookWith(t, accounts.Rules[accounts.Limits]{}).HasPacketLimits())
	for _, l := range []accounts.Limits{{MaxPacket: "1"}, {MaxHold: 1}, {PacketRate: "1/1s"}, {AmountRate: "1/1s"}} {
		require.True(t, bookWith(t, accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"bob": l}}).HasPacketLimits())
	}
}

func TestPacketLimitFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits accounts.Limits
		want   string
	}{
		"packet of 0":       {accounts.Limits{MaxPacket: "0"}, "MaxPacket must be above 0"},
		"packet of a name":  {accounts.Limits{MaxPacket: "much"}, "MaxPacket cannot be used"},
		"hold below 0":      {accounts.Limits{MaxHold: -1}, "MaxHold must not be negative"},
		"rate without time": {accounts.Limits{PacketRate: "100"}, `PacketRate is "100"`},
		"rate in no time":   {accounts.Limits{PacketRate: "100/0s"}, `PacketRate is "100/0s"`},
		"half a packet":     {accounts.Limits{PacketRate: "0.5/1s"}, `PacketRate is "0.5/1s"`},
		"no packet":         {accounts.Limits{PacketRate: "0/1s"}, `PacketRate is "0/1s"`},
		"too much amount":   {accounts.Limits{AmountRate: "18446744073.709551616/1s"}, "AmountRate is"},
		"negative time":     {accounts.Limits{AmountRate: "1/-1s"}, `AmountRate is "1/-1s"`},
	} {
		_, err := accounts.NewBook(nil, accounts.Config{
			Assets: []accounts.Asset{usd}, Limits: accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"bob": c.limits}},
		})
		require.ErrorIs(t, err, accounts.ErrInvalid, name)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "bob", name)
	}
	for _, text := range []accounts.Decimal{"", "--1", "1.0000000001"} {
		_, err := accounts.NewBook(nil, accounts.Config{
			Assets: []accounts.Asset{usd}, LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: text},
		})
		requireField(t, err, "LiquidityFloors")
	}
	_, err := accounts.NewBook(nil, accounts.Config{
		Assets: []accounts.Asset{usd}, LiquidityFloors: map[accounts.Asset]accounts.Decimal{xrp: "1"},
	})
	require.ErrorContains(t, err, "no asset of the Book")
}

// The outgoing amount of a Converter is covered by the incoming one, and one unit more is not, at
// rates of 64 bits and longer ones.
func TestConverterCovers(t *testing.T) {
	t.Parallel()
	for _, rate := range []string{"1", "0.923456789", "3", "0.333333333333333333333333333333", "123456789012345678901234567890", "0.0000001"} {
		c, err := accounts.NewConverter(usd, xrp, decimal.RequireFromString(rate))
		require.NoError(t, err)
		for _, in := range []uint64{0, 1, 7, 1 << 20, 1<<63 + 5, 1<<64 - 1} {
			got, err := c.Convert(ledger.NewAmount(in))
			out, fits := got.Out.Uint64()
			if err != nil || !fits || out == 1<<64-1 { // worth more than any packet
				require.True(t, c.Covers(in, 1<<64-1), "%s: %d", rate, in)
				continue
			}
			require.True(t, c.Covers(in, out), "%s: %d covers %d", rate, in, out)
			require.False(t, c.Covers(in, out+1), "%s: %d covers %d", rate, in, out+1)
		}
	}
}
