package peerslog_test

import (
	"context"
	"log"
	"log/slog"
	"os"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	peerslog "github.com/peerledger/peerledger/monitoring/slog"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// withoutChanges leaves out the attributes that differ from run to run.
func withoutChanges(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, "order", "transfer", "took_seconds", "waited_seconds":
		return slog.Attr{}
	default:
		return a
	}
}

func Example() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutChanges}))
	tracer := peerslog.New(logger)
	pay := func(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil }
	cfg := peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			Rails:    settlement.Rails{Default: &settlement.Rail{Name: "chain", Settler: settlement.SettlerFunc(pay)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(1000)}},
			Manual:   true,
		},
	}
	cfg.Recorder.Tracer = tracer
	cfg.Settlement.Tracer = tracer
	cfg.Recorder.Events = tracer.Recorder(cfg.Recorder.Events)
	cfg.Settlement.Events = tracer.Settlement(cfg.Settlement.Events)
	client, err := peerledger.OpenEmbedded(cfg)
	if err != nil {
		log.Fatal(err)
	}
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(10_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Recorder.Forward(ctx, transfers.Packet{From: peers[0], To: peers[1], In: 1250, Out: 1250}); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Settlement.Settle(ctx, peers...); err != nil {
		log.Fatal(err)
	}
	payment := settlement.IncomingPayment{Account: peers[0], Key: "2026-12-01/7", Amount: ledger.NewAmount(1250)}
	if _, err := client.Settlement.RecordIncoming(ctx, payment); err != nil {
		log.Fatal(err)
	}
	if err := client.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg="order closed" peer=bob amount="12.50 USD" rail=chain work=placed state=paid paid="12.50 USD"
	// level=INFO msg="payment booked" kind=units peer=alice key=2026-12-01/7 amount="12.50 USD" already_booked=false in_suspense=false
}
