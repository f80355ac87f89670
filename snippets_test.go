package peerledger_test

import (
	"context"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// These functions contain the code blocks of the documents. The compiler checks them; nothing calls
// them.
var _ = []any{booksOnDisk, onTheHotPath, peersInOperation, settling, settlingRounds}

func booksOnDisk(usd accounts.Asset) (*peerledger.Client, error) {
	l, err := embedded.Open("ledger") // the folder of the books
	if err != nil {
		panic(err)
	}
	client, err := peerledger.New(l, peerledger.Config{ // then Provision, as above; client.Close also closes l
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Recorder: transfers.Config{
			JournalFolder: "promises", // fulfills outlive the process
			Events:        transfers.Events{Replayed: func(left []transfers.Result) { /* of the earlier process */ }},
		},
	})
	return client, err
}

func onTheHotPath(ctx context.Context, client *peerledger.Client, held transfers.Result) (transfers.Result, error) {
	future, err := client.Recorder.Submit(ctx, transfers.FulfillOp(held.Packet)) // on disk when Submit returns
	result := future.Wait(ctx)                                                   // result.Err is nil if the fulfill is in the ledger
	return result, err
}

func settling(usd accounts.Asset) peerledger.Config {
	pay := func(ctx context.Context, order settlement.Order) (ledger.Amount, error) {
		return order.Amount, nil // pay order.Amount once for each order.ID, and return the amount paid
	}
	cfg := peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}, Settlement: settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(pay)}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(10_000), SettleTo: ledger.NewAmount(1_000)}},
	}}
	return cfg
}

func settlingRounds(ctx context.Context, l ledger.Ledger, book *accounts.Book, engine *settlement.Engine, rounds aggregate.Config) (*aggregate.Recorder, error) {
	rounds.Events.BalancesChanged = engine.NotifyBalances
	recorder, err := aggregate.NewRecorder(ctx, l, book, rounds)
	if err != nil {
		return nil, err
	}
	engine.UseReservations(recorder)
	return recorder, nil
}

func peersInOperation(ctx context.Context, client *peerledger.Client, peers []accounts.PeerAccount, usd accounts.Asset, from, to time.Time) []any {
	book, alice := client.Book, peers[0]
	change, err := book.ExtendCredit(ctx, alice, ledger.NewAmount(50_000)) // or RevokeCredit, SetCreditLine
	_ = err
	err = book.SuspendPeer(ctx, alice) // new packets are refused within SuspensionPollInterval (1 s), also by this client's recorder
	_ = err
	err = book.ResumePeer(ctx, alice) // or ClosePeer, ReopenPeer
	_ = err
	booking, err := book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "ticket 7", Credit: ledger.NewAmount(10), ReasonCode: 3})
	_ = err
	month, err := book.Statement(ctx, alice, from, to) // accounts.WriteCSV, WriteJSON, Compare
	_ = err
	holds, err := book.Holds(ctx, alice) // packets in flight, with their expiry
	_ = err
	sums, err := book.TrialBalance(ctx, usd) // accounts.ErrUnbalanced if debits are not credits
	// Peers lists every peer in the ledger. The ledger keeps hashes of the ids: the names given here only label the rows.
	for peer, err := range book.Peers(ctx, usd, "alice", "bob") { /* all peers in the ledger, with balances */
		_, _ = peer, err
	}
	return []any{change, booking, month, holds, sums, err}
}

type myRail struct{}

func (r *myRail) Settle(ctx context.Context, o settlement.Order) (paid ledger.Amount, err error) {
	return o.Amount, ctx.Err()
}

func whenToPay() settlement.Config {
	return settlement.Config{
		Policies: settlement.Policies{
			Default: settlement.AtLeast{Amount: ledger.NewAmount(100), Of: settlement.FirstOf{
				settlement.Threshold{SettleThreshold: ledger.NewAmount(10_000), SettleTo: ledger.NewAmount(1_000)}, // owed too much
				settlement.Every{After: 24 * time.Hour}, // or for too long
				settlement.Idle{After: time.Hour},       // or the peer is idle
			}},
			Peer: map[string]settlement.Policy{
				"carol": nil,                                                                                    // never
				"dave":  settlement.Prefund{PrefundThreshold: big.NewInt(-1_000), SettleTo: big.NewInt(-5_000)}, // ahead, until dave owes 5,000
			},
		},
	}
}

func limits(usd accounts.Asset) settlement.Config {
	return settlement.Config{
		PeerPayoutLimits:  accounts.Rules[settlement.PayoutLimit]{Default: settlement.PayoutLimit{MaxOrder: ledger.NewAmount(50_000), MaxPerDay: ledger.NewAmount(200_000)}},
		AssetPayoutLimits: map[accounts.Asset]settlement.PayoutLimit{usd: {MaxPerDay: ledger.NewAmount(1_000_000), ApproveAbove: ledger.NewAmount(40_000)}},
	}
}

// The policies and limits of docs/settlement.md are valid, and the policies act as their comments in
// the document promise.
func TestPoliciesOfTheDocs(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	require.NoError(t, limits(usd).Validate())
	cfg := whenToPay()
	cfg.Rails.Default = &settlement.Rail{Settler: new(myRail)}
	require.NoError(t, cfg.Validate())
	now := time.Now()
	due := func(peer string, owed uint64, since, active time.Duration) uint64 {
		policy := cfg.Policies.For(peer, usd)
		if policy == nil {
			return 0
		}
		return policy.Due(settlement.PolicyInput{
			Balance: accounts.Balance{Payable: ledger.NewAmount(owed), Headroom: ledger.NewAmount(owed + 10_000)}, Now: now, OwedSince: now.Add(-since), ActiveAt: now.Add(-active),
		}).Amount.Lo
	}
	require.Zero(t, due("bob", 9_999, time.Hour, time.Minute))
	require.Equal(t, uint64(9_000), due("bob", 10_000, 0, 0))
	require.Equal(t, uint64(500), due("bob", 500, 24*time.Hour, 0))
	require.Equal(t, uint64(500), due("bob", 500, 0, time.Hour))
	require.Zero(t, due("carol", 1_000_000, 48*time.Hour, 48*time.Hour))
	require.Equal(t, uint64(5_000), due("dave", 0, 0, 0))
}

// snippet matches a block of Go in a document.
var snippet = regexp.MustCompile("(?s)```go\n(.*?)```\n")

// Every line of Go in the documents is part of this file, of snippets_cluster_test.go, of an
// example or of a whole program. So the compiler has checked the line.
func TestSnippetsAreCompiled(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, path := range []string{"snippets_test.go", "snippets_cluster_test.go", "example_test.go", "monitoring/example_test.go", "monitoring/otel/example_test.go", "monitoring/slog/example_test.go", "console/example_test.go", "ledger/server/client_example_test.go", "ledger/server/faulty/example_test.go"} {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		sources = append(sources, squeezed(string(source)))
	}
	all, seen := strings.Join(sources, "\n"), 0
	for path, text := range documents(t) {
		for _, m := range snippet.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "package main\n") {
				continue // the tests of cmd/peerledger run it
			}
			for line := range strings.Lines(m[1]) {
				line = strings.TrimSuffix(squeezed(line), "/* all peers in the ledger, with balances */ }") // the document leaves the body empty
				require.True(t, strings.Contains(all, strings.TrimSpace(line)), "%s: add this line of the document to snippets_test.go: %s", path, line)
			}
			seen++
		}
	}
	require.GreaterOrEqual(t, seen, 7)
}

// squeezed returns a text with single blanks, and no blanks at the ends of lines.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}
