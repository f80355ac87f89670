//go:build cgo && !race

package browsertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// longID is the id of a peer whose id is an ILP address.
const longID = "g.example.mobile-money.east-africa.hub-2"

// step is a payment of a day: so long ago, so much in cents.
type step struct {
	ago      time.Duration
	from, to string
	cents    uint64
}

// newDay opens the books of a connector after a day of payments: two peers near their lines, one in arrears, one
// suspended, one order that is stuck, packets in flight, in three assets. All amounts are fixed.
func newDay(t *testing.T, o worldOptions) *world {
	t.Helper()
	o.lag = 26 * time.Hour
	w := newWorld(t, o,
		line("kiterail", usd, 25_000_00), line("harborpay", usd, 10_000_00), line("lumen-wallet", usd, 8_000_00), line("pacific-gateway", usd, 50_000_00),
		line("atlas-exchange", usd, 15_000_00), line(longID, usd, 12_500_00), accounts.PeerConfig{ID: "clearing-bank", Asset: usd, CreditLine: accounts.Unlimited},
		line("saffron-fx", eur, 12_000_00), line("rheinpay", eur, 20_000_00), line("tessera", eur, 4_000_00), line("kiterail", eur, 6_000_00),
		line("orbit", xrp, 40_000_000_000_000), line("mesa-labs", xrp, 15_000_000_000_000))
	for asset, units := range map[accounts.Asset]uint64{usd: 100_000_00, eur: 60_000_00, xrp: 90_000_000_000_000} {
		_, err := w.client.Book.Fund(t.Context(), accounts.Capital{Asset: asset, Key: "opening capital", Amount: ledger.NewAmount(units)})
		require.NoError(t, err)
	}
	for _, s := range []step{
		{25 * time.Hour, "kiterail", "pacific-gateway", 9_412_50},
		{23 * time.Hour, "lumen-wallet", "harborpay", 1_250_00},
		{20 * time.Hour, "atlas-exchange", "clearing-bank", 3_075_20},
		{19 * time.Hour, "rheinpay EUR", "saffron-fx EUR", 1_899_99},
		{16 * time.Hour, longID, "kiterail", 2_218_75},
		{14 * time.Hour, "orbit XRP", "mesa-labs XRP", 11_204_530_000_000},
		{11 * time.Hour, "kiterail", "harborpay", 3_360_00},
		{9 * time.Hour, "lumen-wallet", "pacific-gateway", 5_490_40},
		{7 * time.Hour, "tessera EUR", "rheinpay EUR", 640_00},
		{5 * time.Hour, "kiterail", "clearing-bank", 12_006_25},
		{3 * time.Hour, "kiterail EUR", "rheinpay EUR", 215_10},
		{2 * time.Hour, "pacific-gateway", "atlas-exchange", 870_00},
	} {
		w.clock.setLag(s.ago)
		w.send(s.from, s.to, s.cents)
	}
	w.clock.setLag(100 * time.Minute)
	_, err := w.client.Book.Adjust(t.Context(), accounts.Adjustment{
		Account: w.account("mesa-labs XRP"), Key: "returned payment", Debit: ledger.NewAmount(26_900_000_000_000), ReasonCode: 1, BeyondHeadroom: true,
	})
	require.NoError(t, err)
	require.NoError(t, w.client.Book.SuspendPeer(t.Context(), w.account("tessera EUR")))
	_, err = w.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.account("atlas-exchange"), Key: "wire 7731", Amount: ledger.NewAmount(2_500_00)})
	require.NoError(t, err)
	w.clock.setLag(47 * time.Minute)
	w.order("harborpay")
	w.clock.setLag(2 * time.Minute)
	w.order("pacific-gateway")
	_, err = w.client.Settlement.Announce(t.Context(), settlement.IncomingPayment{Account: w.account("lumen-wallet"), Key: "wire 7740", Amount: ledger.NewAmount(3_000_00)})
	require.NoError(t, err)
	w.hold("kiterail", "harborpay", 112_40)
	w.hold("lumen-wallet", "pacific-gateway", 89_99)
	w.hold("rheinpay EUR", "saffron-fx EUR", 45_00)
	w.clock.setLag(0)
	return w
}
