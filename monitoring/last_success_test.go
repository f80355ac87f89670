package monitoring_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

const suffix = "_last_success_timestamp_seconds"

// A time of a last success is absent before the first one, and a failure does not move it.
func TestLastSuccesses(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	c := newConnector(t, monitoring.Config{Clock: func() time.Time { return now }, Interval: time.Nanosecond}, settlement.Config{Manual: true})
	for _, name := range []string{"recorder", "rounds", "settlement", "settlement_incoming", "scrape"} {
		require.Empty(t, c.values(t, "peerledger_"+name+suffix), name)
	}
	at := func(name string) float64 { return c.values(t, "peerledger_"+name+suffix)[""] }

	batch := c.metrics.Recorder(transfers.Events{}).Batch
	batch(transfers.Batch{Operations: 1, Requests: 1, Applied: 1})
	now = now.Add(time.Second)
	batch(transfers.Batch{Operations: 1, Requests: 1, Unknown: 1})
	batch(transfers.Batch{Operations: 1, Refused: 1}) // expired before it was sent
	require.InDelta(t, 1_800_000_000, at("recorder"), 0)

	c.metrics.Rounds(aggregate.Events{}).Round(aggregate.Round{Attempts: 1})
	require.InDelta(t, 1_800_000_001, at("rounds"), 0)

	events := c.metrics.Settlement(settlement.Events{})
	events.Voided(settlement.Order{Asset: usd}, settlement.ErrDeclined)
	require.Empty(t, c.values(t, "peerledger_settlement"+suffix))
	events.PartlyPaid(settlement.Payment{Order: settlement.Order{Asset: usd, Amount: units(2)}, Paid: units(1)})
	require.InDelta(t, 1_800_000_001, at("settlement"), 0)

	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	c.ledger.setAway(true)
	require.Empty(t, c.values(t, "peerledger_scrape"+suffix), "the read has failed")
	c.ledger.setAway(false)
	require.InDelta(t, 1_800_000_001, at("scrape"), 0)
	now = now.Add(time.Second)
	c.ledger.setAway(true)
	require.InDelta(t, 1_800_000_001, at("scrape"), 0)
}

// Payments are counted by a tracer, by their outcome.
func TestPaymentsOfPeers(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{Manual: true}, accounts.PeerConfig{ID: "alice", Asset: usd})
	engine, err := settlement.NewEngine(c.ledger, c.book, settlement.Config{Manual: true, Tracer: c.metrics.Payments()})
	require.NoError(t, err)
	pay := settlement.IncomingPayment{Account: c.peers[0], Key: "a", Amount: units(5)}
	for range 2 {
		_, err := engine.RecordIncoming(t.Context(), pay)
		require.NoError(t, err)
	}
	pay.Amount = ledger.NewAmount(6)
	_, err = engine.RecordIncoming(t.Context(), pay)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	require.NoError(t, engine.Close(t.Context()))
	require.Equal(t, map[string]float64{"booked": 1, "repeated": 1, "suspense": 0, "failed": 1}, c.values(t, "peerledger_settlement_incoming_total"))
	require.Len(t, c.values(t, "peerledger_settlement_incoming"+suffix), 1)
	require.Len(t, c.values(t, "peerledger_build_info"), 1)
}
