package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// call calls a Book and returns its answer as text.
type call func(*town, context.Context) (string, error)

// writing are calls that write. Their answers are cut to the parts that are the same in every
// run.
var writing = map[string]call{
	"Adjust": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers["alice"], Key: "k", Debit: units(40), ReasonCode: 1}))
	},
	"Adjust a peer in arrears": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Adjust(ctx, accounts.Adjustment{
			Account: w.peers["carol"], Key: "k", Debit: units(7), ReasonCode: 1, BeyondHeadroom: true,
		}))
	},
	"WriteOff": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.WriteOff(ctx, accounts.WriteOff{Account: w.peers["carol"], Key: "k", Amount: units(30), ReasonCode: 1}))
	},
	"Fund": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Fund(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: units(50)}))
	},
	"Withdraw": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: units(50)}))
	},
	"SetCreditLine up": func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.SetCreditLine(ctx, w.peers["alice"], units(150))
		return "", err
	},
	"SetCreditLine down": func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.SetCreditLine(ctx, w.peers["bob"], units(30), accounts.WithPartialRevoke())
		return "", err
	},
	"Suspend": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.SuspendPeer(ctx, w.peers["alice"], accounts.WithFreeRevoked())
	},
	"Resume": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ResumePeer(ctx, w.peers["dave"])
	},
	"ClosePeer": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ClosePeer(ctx, w.peers["bob"], accounts.WithForce(), accounts.WithReasonCode(5))
	},
	"ClosePeer in arrears": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ClosePeer(ctx, w.peers["carol"], accounts.WithForce(), accounts.WithReasonCode(5))
	},
	"ClosePeer closed before, and in arrears since": func(w *town, ctx context.Context) (string, error) {
		ids := w.book.PeerIDs(w.peers["erin"])
		_, err := w.ledger.Ledger.CreateTransfers(ctx, []ledger.Transfer{{ // once, in any number of calls
			ID: ledger.NewID(1, 1), DebitAccountID: ids.Arrears, CreditAccountID: ids.Settlement, Amount: units(5),
			Ledger: usd.Ledger, Code: chart.CodeReturned,
		}})
		return "", errors.Join(err, w.book.ClosePeer(ctx, w.peers["erin"], accounts.WithForce(), accounts.WithReasonCode(5)))
	},
	"ReopenPeer": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ReopenPeer(ctx, w.peers["erin"])
	},
	"Provision": func(w *town, ctx context.Context) (string, error) {
		got, err := w.book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(100)},
			accounts.PeerConfig{ID: "gina", Asset: usd, CreditLine: units(10)}, accounts.PeerConfig{ID: "gina", Asset: xrp, CreditLine: units(3)})
		return fmt.Sprint(got), err
	},
	"EnsureArrears": func(w *town, ctx context.Context) (string, error) {
		return "", w.book.EnsureArrears(ctx, w.peers["alice"], w.peers["bob"])
	},
}

// reading are calls that only read.
var reading = map[string]call{
	"Positions":   func(w *town, ctx context.Context) (string, error) { return text(w.book.OwnPositions(ctx)) },
	"Balance":     func(w *town, ctx context.Context) (string, error) { return text(w.book.Balance(ctx, w.peers["carol"])) },
	"Balances":    func(w *town, ctx context.Context) (string, error) { return text(w.book.Balances(ctx, w.allPeers()...)) },
	"Assets":      func(w *town, ctx context.Context) (string, error) { return text(w.book.RegisteredAssets(ctx)) },
	"Directory":   (*town).directory,
	"Statement":   (*town).statement,
	"Alerts":      (*town).alerts,
	"Suspensions": (*town).suspensions,
	"LookUpBalances": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.LookUpBalances(ctx, w.allPeers()...))
	},
	"Missing": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.MissingPeers(ctx, usd, "alice", "nobody", "frank"))
	},
	"Reserves": func(w *town, ctx context.Context) (string, error) { return text(w.book.LiquidityReserves(ctx)) },
	"TrialBalance": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.TrialBalance(ctx, usd))
	},
	"CheckAssets": func(w *town, ctx context.Context) (string, error) { return "", w.book.CheckAssets(ctx) },
	"AllBalances": func(w *town, ctx context.Context) (string, error) {
		var all []string
		for b, err := range w.book.AllBalances(ctx, slices.Values(w.allPeers())) {
			if err != nil {
				return "", err
			}
			all = append(all, formatShown(b))
		}
		return fmt.Sprint(all), nil
	},
	"BalanceAt": func(w *town, ctx context.Context) (string, error) {
		return text(w.book.BalanceAt(ctx, w.peers["carol"], time.Now()))
	},
	// Without the times, which differ from run to run.
	"OpenHolds": func(w *town, ctx context.Context) (string, error) {
		got, err := w.book.OpenHolds(ctx, accounts.HoldQuery{}, w.allPeers()...)
		return fmt.Sprint(len(got.Holds), len(got.Totals)), err
	},
	"History": func(w *town, ctx context.Context) (string, error) {
		got, err := w.book.History(ctx, w.peers["carol"], accounts.HistoryQuery{From: time.Now(), To: time.Now().Add(time.Hour), Steps: 3})
		if err != nil {
			return "", err
		}
		return got.Points[3].Position.String(), nil
	},
	"Standings": func(w *town, ctx context.Context) (string, error) {
		got, err := w.book.Standings(ctx, w.allPeers()...)
		var shown []bool
		for _, s := range got {
			shown = append(shown, s.SuspendedSince.IsZero(), s.ClosedSince.IsZero(), s.ArrearsSince.IsZero())
		}
		return fmt.Sprint(shown), err
	},
	"Find": func(w *town, ctx context.Context) (string, error) {
		got, err := w.book.Find(ctx, accounts.FindQuery{ID: w.book.PeerIDs(w.peers["dave"]).Peer}) // the suspension of dave names the account
		var shown []any
		for _, f := range got.Found {
			shown = append(shown, f.Kind, f.State)
		}
		return fmt.Sprint(shown), err
	},
}

func text[T any](value T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if booking, matches := any(value).(accounts.Booking); matches {
		return booking.Amount.String(), nil // the other fields differ from run to run
	}
	return formatShown(value), nil
}

// formatShown formats a value without its unexported fields.
func formatShown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (w *town) directory(ctx context.Context) (string, error) {
	var lines []string
	for l, err := range w.book.Peers(ctx, usd, "alice", "bob", "carol", "dave", "erin") {
		if err != nil {
			return "", err
		}
		lines = append(lines, formatShown(l))
	}
	return fmt.Sprint(lines), nil
}

func (w *town) statement(ctx context.Context) (string, error) {
	s, err := w.book.Statement(ctx, w.peers["carol"], time.Time{}, time.Time{}, accounts.WithKnownAccounts(w.allPeers()...))
	if err != nil {
		return "", err
	}
	var lines []string
	for e, err := range s.Entries(ctx) {
		if err != nil {
			return "", err
		}
		lines = append(lines, formatShown(e))
	}
	return fmt.Sprint(lines), nil
}

func (w *town) alerts(ctx context.Context) (string, error) {
	alerts, err := w.book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{usd: {Low: "1000000"}})
	if err != nil {
		return "", err
	}
	return text(alerts.Check(ctx))
}

func (w *town) suspensions(ctx context.Context) (string, error) {
	changes, _, err := w.book.Suspensions(ctx, time.Time{})
	return fmt.Sprint(changes), err
}
