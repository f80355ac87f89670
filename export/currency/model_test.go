package currency_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

var (
	nano = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1, AllowLoss: true}
	cent = accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2, AllowLoss: true}
	yen  = accounts.Asset{Code: "JPY", Scale: 0, Ledger: 3, AllowLoss: true}
)

var assets = []accounts.Asset{nano, cent, yen}

// event is how one operation changes what we own. It knows nothing of the ledger's rows.
type event struct {
	at    time.Time
	asset int
	flow  string // a field of currency.Line
	units int64
}

// converted is a packet that changed the currency.
type converted struct {
	at       time.Time
	from, to int
	in, out  int64
}

// world is books with random operations, and what they mean.
type world struct {
	t         *testing.T
	rng       *rand.Rand
	book      *accounts.Book
	ledger    *embedded.Ledger
	recorder  *transfers.Recorder
	peers     [][]accounts.PeerAccount // by asset
	clock     atomic.Int64             // nanoseconds since the epoch
	events    []event
	converted []converted
	count     int
}

// start is the beginning of the books. Operations come at full hours, and rates change half an hour later.
var start = time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0))}
	w.clock.Store(start.UnixNano())
	now := func() time.Time { return time.Unix(0, w.clock.Load()) }
	w.ledger = embedded.New(embedded.WithClock(now))
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })
	var err error
	w.book, err = accounts.NewBook(w.ledger, accounts.Config{Assets: assets})
	require.NoError(t, err)
	for _, asset := range assets {
		handles, err := w.book.Provision(t.Context(),
			accounts.PeerConfig{ID: "alice", Asset: asset, CreditLine: accounts.Unlimited}, accounts.PeerConfig{ID: "bob", Asset: asset, CreditLine: accounts.Unlimited})
		require.NoError(t, err)
		own, err := w.book.OwnAccount(asset)
		require.NoError(t, err)
		w.peers = append(w.peers, append(handles, own))
	}
	w.recorder, err = transfers.NewRecorder(w.ledger, w.book, transfers.Config{Clock: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.recorder.Close(context.Background())) })
	return w
}

func (w *world) now() time.Time { return time.Unix(0, w.clock.Load()).UTC() }

// note notes what an operation means.
func (w *world) note(asset int, flow string, units int64) {
	w.events = append(w.events, event{w.now(), asset, flow, units})
}

// book books n random operations, one an hour.
func (w *world) bookOperations(n int) {
	w.t.Helper()
	for range n {
		w.count++
		w.clock.Store(start.Add(time.Duration(w.count) * time.Hour).UnixNano())
		ctx, key, asset, units := w.t.Context(), fmt.Sprint("key ", w.count), w.rng.IntN(len(assets)), 1+w.rng.Int64N(1e12)
		var err error
		switch w.rng.IntN(10) {
		case 0:
			_, err = w.book.Fund(ctx, accounts.Capital{Asset: assets[asset], Key: key, Amount: ledger.NewAmount(uint64(units))})
			w.note(asset, "Capital", units)
		case 1:
			if _, err := w.book.Withdraw(ctx, accounts.Capital{Asset: assets[asset], Key: key, Amount: ledger.NewAmount(uint64(units))}); err == nil {
				w.note(asset, "Capital", -units)
			}
		case 2:
			_, err = w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers[asset][2], Key: key, Credit: ledger.NewAmount(uint64(units)), ReasonCode: 1})
			w.note(asset, "ByHand", units)
		case 3: // a peer's adjustment moves nothing of ours
			_, err = w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers[asset][0], Key: key, Credit: ledger.NewAmount(uint64(units)), ReasonCode: 1})
		default:
			w.sendPacket(asset, units)
		}
		require.NoError(w.t, err)
	}
}

// sendPacket sends a packet within an asset, to another asset, or from and to ourselves.
func (w *world) sendPacket(asset int, in int64) {
	w.t.Helper()
	to, from, receiver := w.rng.IntN(len(assets)), w.rng.IntN(3), w.rng.IntN(3)
	out, dust := 1+w.rng.Int64N(1e12), int64(0)
	p := transfers.Packet{From: w.peers[asset][from], To: w.peers[to][receiver], Hold: time.Minute}
	switch {
	case to == asset && from == receiver:
		return
	case to == asset && (from == 2 || receiver == 2): // ours: the amounts are equal
		out = in
		flow, units := "PacketsOut", -in
		if receiver == 2 {
			flow, units = "PacketsIn", in
		}
		w.note(asset, flow, units)
	case to == asset:
		out = max(1, in-w.rng.Int64N(1000)) // the rest is the fee
		w.note(asset, "Fees", in-out)
	case from == 2 || receiver == 2: // a conversion of our own
		return
	default:
		dust = w.rng.Int64N(min(in, 100))
		w.note(asset, "PacketsIn", in-dust)
		w.note(asset, "Dust", dust)
		w.note(to, "PacketsOut", -out)
		w.converted = append(w.converted, converted{w.now(), asset, to, in, out})
	}
	p.In, p.Out, p.Dust = uint64(in), uint64(out), uint64(dust)
	if w.rng.IntN(2) == 0 {
		_, err := w.recorder.Forward(w.t.Context(), p)
		require.NoError(w.t, err)
		return
	}
	held, err := w.recorder.Prepare(w.t.Context(), p)
	require.NoError(w.t, err)
	_, err = w.recorder.Fulfill(w.t.Context(), held.Packet)
	require.NoError(w.t, err)
}

// makeRates makes a rate of each asset for ever, changes at the edges of periods, and random ones half an hour after full hours.
func (w *world) makeRates(edges []time.Time) (rates []currency.Rate) {
	for _, asset := range assets {
		for _, at := range append([]time.Time{{}}, edges...) {
			rates = append(rates, currency.Rate{Asset: asset, From: at, Worth: decimal.New(1+w.rng.Int64N(1e6), -4)})
		}
		for hour := range w.count {
			if w.rng.IntN(3) == 0 {
				at := start.Add(time.Duration(hour)*time.Hour + 30*time.Minute)
				rates = append(rates, currency.Rate{Asset: asset, From: at, Worth: decimal.New(1+w.rng.Int64N(1e6), -4)})
			}
		}
	}
	w.rng.Shuffle(len(rates), func(i, j int) { rates[i], rates[j] = rates[j], rates[i] })
	return rates
}

// rateAt returns the rate at a moment by looking at all of them.
func rateAt(rates []currency.Rate, asset int, at time.Time) *big.Rat {
	best := currency.Rate{}
	for _, r := range rates {
		if r.Asset == assets[asset] && !r.From.After(at) && !r.From.Before(best.From) {
			best = r
		}
	}
	return best.Worth.Rat()
}

// worth values units at a moment.
func worth(rates []currency.Rate, asset int, units int64, at time.Time) *big.Rat {
	value := decimal.NewFromBigInt(big.NewInt(units), -int32(assets[asset].Scale)).Rat()
	return value.Mul(value, rateAt(rates, asset, at))
}

// The result of random books equals the one that follows from the operations, to the last digit, for any period. The closing value of a
// period is the opening value of the next one. Rounded results add up too.
func TestResultOfRandomBooks(t *testing.T) {
	t.Parallel()
	for range 5 {
		w := newWorld(t)
		w.bookOperations(120)
		edges := []time.Time{start.Add(-time.Hour)}
		for _, hour := range []int{30, 60, 121} {
			edges = append(edges, start.Add(time.Duration(hour)*time.Hour-time.Duration(w.rng.Int64N(int64(time.Hour)))))
		}
		rates := w.makeRates(edges)
		var before *currency.Result
		for i := range len(edges) - 1 {
			var list []currency.Conversion
			got, err := currency.Compute(t.Context(), w.ledger, w.book, currency.Query{From: edges[i], To: edges[i+1], Rates: rates, Conversions: func(c *currency.Conversion) error {
				list = append(list, *c)
				return nil
			}})
			require.NoError(t, err)
			w.requireResult(rates, got)
			w.requireConversions(rates, edges[i], edges[i+1], list)
			requireRounded(t, got)
			for n := range got.Lines {
				if before != nil {
					require.Equal(t, before.Lines[n].Closing.Value.String(), got.Lines[n].Opening.Value.String())
				}
			}
			before = got
		}
	}
}

// requireResult compares a result with the operations.
func (w *world) requireResult(rates []currency.Rate, got *currency.Result) {
	w.t.Helper()
	for asset := range assets {
		l := got.Lines[asset]
		units, values := map[string]int64{}, map[string]*big.Rat{}
		owned := int64(0)
		for _, e := range w.events {
			switch {
			case e.asset != asset:
			case e.at.Before(got.From):
				owned += e.units
			case e.at.Before(got.To):
				units[e.flow] += e.units
				if values[e.flow] == nil {
					values[e.flow] = new(big.Rat)
				}
				values[e.flow].Add(values[e.flow], worth(rates, asset, e.units, e.at))
			}
		}
		opening := worth(rates, asset, owned, got.From)
		w.requireSum("Opening", owned, opening, l.Opening)
		revaluation := new(big.Rat).Neg(opening)
		for name, sum := range map[string]currency.Sum{"Capital": l.Capital, "ByHand": l.ByHand, "PacketsIn": l.PacketsIn, "PacketsOut": l.PacketsOut, "Fees": l.Fees, "Dust": l.Dust, "Other": l.Other} {
			if values[name] == nil {
				values[name] = new(big.Rat)
			}
			w.requireSum(name, units[name], values[name], sum)
			owned += units[name]
			revaluation.Sub(revaluation, values[name])
		}
		closing := worth(rates, asset, owned, got.To)
		w.requireSum("Closing", owned, closing, l.Closing)
		require.Zero(w.t, revaluation.Add(revaluation, closing).Cmp(l.Revaluation.Rat()), "revaluation of %v", assets[asset])
	}
}

func (w *world) requireSum(name string, units int64, value *big.Rat, got currency.Sum) {
	w.t.Helper()
	require.Equal(w.t, big.NewInt(units).String(), got.Units.String(), name)
	require.Zero(w.t, value.Cmp(got.Value.Rat()), "%s: %s, want %s", name, got.Value, value.FloatString(12))
}

// requireConversions compares the conversions of a period with the packets.
func (w *world) requireConversions(rates []currency.Rate, from, to time.Time, list []currency.Conversion) {
	w.t.Helper()
	margins := new(big.Rat)
	for _, want := range w.converted {
		if want.at.Before(from) || !want.at.Before(to) {
			continue
		}
		require.NotEmpty(w.t, list)
		got := list[0]
		list = list[1:]
		require.Equal(w.t, []any{assets[want.from], assets[want.to], big.NewInt(want.in).String(), big.NewInt(want.out).String()}, []any{got.From, got.To, got.In.String(), got.Out.String()})
		require.False(w.t, got.Packet.IsZero())
		wantMargin := worth(rates, want.from, want.in, want.at)
		wantMargin.Sub(wantMargin, worth(rates, want.to, want.out, want.at))
		require.Zero(w.t, wantMargin.Cmp(got.Margin().Rat()))
		margins.Add(margins, wantMargin)
		back := new(big.Rat).Mul(got.Rate(), decimal.NewFromBigInt(got.In, -int32(got.From.Scale)).Rat())
		require.Zero(w.t, back.Cmp(decimal.NewFromBigInt(got.Out, -int32(got.To.Scale)).Rat()))
	}
	require.Empty(w.t, list)
}

// requireRounded requires a rounded result to add up in each line and each column, and each value to be within half a unit of the
// last decimal; only the revaluation takes up the rest.
func requireRounded(t *testing.T, exact *currency.Result) {
	t.Helper()
	rounded := exact.Round(2)
	half := decimal.New(5, -3)
	opening, closing := decimal.Decimal{}, decimal.Decimal{}
	for i := range rounded.Lines {
		l, e := rounded.Lines[i], exact.Lines[i]
		sum := l.Opening.Value.Add(l.Revaluation)
		for _, pair := range [][2]currency.Sum{{l.Capital, e.Capital}, {l.ByHand, e.ByHand}, {l.PacketsIn, e.PacketsIn}, {l.PacketsOut, e.PacketsOut}, {l.Fees, e.Fees}, {l.Dust, e.Dust}, {l.Other, e.Other}} {
			sum = sum.Add(pair[0].Value)
			require.True(t, pair[0].Value.Sub(pair[1].Value).Abs().LessThanOrEqual(half))
			require.True(t, pair[0].Value.Equal(pair[0].Value.Truncate(2)))
		}
		require.True(t, sum.Equal(l.Closing.Value))
		require.True(t, l.Closing.Value.Equal(e.Closing.Value.Round(2)))
		opening, closing = opening.Add(l.Opening.Value), closing.Add(l.Closing.Value)
	}
	total := rounded.Total
	require.True(t, opening.Equal(total.Opening) && closing.Equal(total.Closing))
	require.True(t, total.Opening.Add(total.Capital).Add(total.ByHand).Add(total.Other).Add(total.Gain).Equal(total.Closing))
	require.True(t, total.Trading.Add(total.Revaluation).Equal(total.Gain))
}
