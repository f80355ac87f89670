package settlement_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// Money that a peer has paid is booked whatever the limits of its packets are: a refused report
// would leave the peer without its money. Payments of one amount under different keys are different
// payments, also one right after the other. And payments use up no limit of packets.
func TestPacketLimitsRefuseNoMoney(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, Limits: accounts.Rules[accounts.Limits]{
		Default: accounts.Limits{MaxPacket: "0.10", PacketRate: "2/1h", AmountRate: "20/1h", PayableCap: "0.30", InFlightShare: "0.5", CreditLine: "1.00"},
	}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{})
	require.NoError(t, err)
	engine, err := settlement.NewEngine(l, book, settlement.Config{})
	require.NoError(t, err)
	pay := func(i int) {
		receipt, err := engine.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: peers[0], Key: fmt.Sprint("payment ", i), Amount: units(500)})
		require.NoError(t, err)
		require.False(t, receipt.AlreadyBooked)
	}
	packet := transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 10, Hold: time.Minute}
	for i := range 20 {
		pay(i)
	}
	for range 2 {
		held, err := recorder.Prepare(t.Context(), packet)
		require.NoError(t, err)
		_, err = recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	_, err = recorder.Prepare(t.Context(), packet)
	require.ErrorIs(t, err, transfers.ErrRateLimited)
	for i := range 20 {
		pay(20 + i)
	}
	balance, err := book.Balance(t.Context(), peers[0])
	require.NoError(t, err)
	require.Equal(t, units(40*500), balance.SettledIn)
	require.Equal(t, units(40*500-20), balance.Payable)
	require.NoError(t, recorder.Close(t.Context()))
	require.NoError(t, engine.Close(t.Context()))
	ledgertest.RequireNothingHeld(t, l)
}
