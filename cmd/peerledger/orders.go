package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

// operatorInstance is the name of the engine of this command: orders of connectors are not
// its own, so it never resumes them.
const operatorInstance = "peerledger-operator"

// withEngine opens the ledger with a settlement engine that does nothing by itself. With a
// rail it can pay, by the thresholds and within the limits of the configuration.
func (a *app) withEngine(ctx context.Context, rail *settlement.Rail, run func(*session, *settlement.Engine) error) error {
	return a.withSession(ctx, func(s *session) (err error) {
		cfg := settlement.Config{
			Manual: true, Instance: operatorInstance,
			NoTakeover: true, // an order of a connector that is silent is still that connector's
		}
		if rail != nil {
			cfg.Rails.Default = rail
			if cfg.Policies, err = s.policies(); err != nil {
				return err
			}
			limits, err := s.cfg.parseLimits()
			if err != nil {
				return err
			}
			cfg.PeerPayoutLimits, cfg.AssetPayoutLimits = limits.peers, limits.assets
			cfg.Events.PayoutLimited = s.reached.addLimit
		}
		engine, err := settlement.NewEngine(s.ledger, s.book, cfg)
		if err != nil {
			return err
		}
		defer func() {
			closing := engine.Close(ctx)
			if err != nil && errors.Is(closing, settlement.ErrOrdersOpen) {
				closing = nil // the error says why they are
			}
			err = errors.Join(err, closing)
		}()
		return run(s, engine)
	})
}

// orderRow is an open order as it is shown.
type orderRow struct {
	Peer     string `json:"peer"`
	Asset    string `json:"asset"`
	Order    string `json:"order"` // the id, and the key at the rail
	Sequence uint64 `json:"sequence"`
	Amount   string `json:"amount"`
	Placed   string `json:"placed"`
	Age      string `json:"age"`
	Claimed  string `json:"claimed,omitempty"`   // the last sign of life of its engine
	Waits    string `json:"waits_for,omitempty"` // what keeps it from being given to a rail
	Stuck    bool   `json:"stuck"`
}

func (a *app) newOrdersCommand() *cobra.Command {
	var asset string
	var stuck time.Duration
	cmd := &cobra.Command{
		Use:   "orders [peer...]",
		Short: "Settlement orders that are neither paid nor given back",
		Long: `Shows the open settlement orders of these peers, or of all that are configured: what was
ordered, when, and when the engine that it belongs to gave its last sign of life. An order
that has been open for longer than --stuck counts as stuck: ask the rail what became of its
key (the order's id), and close it with "peerledger settle resolve" or "settle cancel". One that
waits for approval is with no rail: give "settle approve" or "settle cancel". One that waits for the
end of the pause is paid after "settle resume" or "settle start" ("settle pauses" shows which).`,
		Example: "  peerledger orders\n  peerledger orders alice --json",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				orders, err := engine.Orders(cmd.Context(), list...)
				if err != nil {
					return err
				}
				rows := make([]orderRow, len(orders))
				for i, o := range orders {
					age := o.Age(time.Now())
					rows[i] = orderRow{
						Peer: o.Account.Peer(), Asset: o.Asset.String(), Order: o.ID.String(), Sequence: o.Sequence,
						Amount: o.Asset.Format(o.Amount), Placed: formatTime(o.PlacedAt), Age: age.Round(time.Second).String(),
						Claimed: formatTime(o.LeaseRenewedAt), Waits: describeWait(o), Stuck: age > stuck,
					}
				}
				if err := showOrders(a, rows); err != nil || a.json {
					return err
				}
				pauses, err := engine.Pauses(cmd.Context())
				for _, p := range pauses {
					fmt.Fprintf(a.stdout, "Mind that %v.\n", p)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().DurationVar(&stuck, "stuck", 10*time.Minute, "an order that is older counts as stuck")
	return cmd
}

func showOrders(a *app, rows []orderRow) error {
	if len(rows) == 0 && !a.json {
		_, err := fmt.Fprintln(a.stdout, "No order is open.")
		return err
	}
	return printRows(a, rows,
		column[orderRow]{title: "peer", cell: func(r orderRow) string { return r.Peer }},
		column[orderRow]{title: "asset", cell: func(r orderRow) string { return r.Asset }},
		column[orderRow]{title: "order", cell: func(r orderRow) string { return r.Order }},
		column[orderRow]{title: "amount", cell: func(r orderRow) string { return r.Amount }, right: true},
		column[orderRow]{title: "placed (UTC)", cell: func(r orderRow) string { return r.Placed }},
		column[orderRow]{title: "age", right: true, cell: func(r orderRow) string { return r.Age }, colour: func(r orderRow) text.Colors {
			if r.Stuck {
				return text.Colors{text.FgRed}
			}
			return nil
		}},
		column[orderRow]{title: "waits for", cell: func(r orderRow) string { return r.Waits }},
		column[orderRow]{title: "claimed (UTC)", cell: func(r orderRow) string { return r.Claimed }},
	)
}

// policies are the thresholds of the configuration.
func (s *session) policies() (settlement.Policies, error) {
	policies := settlement.Policies{PeerAsset: map[peerAsset]settlement.Policy{}}
	for _, p := range s.cfg.Peers {
		asset, err := s.cfg.findAsset(p.Asset)
		if err != nil {
			return policies, err
		}
		policy, err := p.parsePolicy(asset)
		if err != nil {
			return policies, err
		}
		if policy != nil {
			policies.PeerAsset[peerAsset{Peer: p.ID, Asset: asset}] = policy
		}
	}
	return policies, nil
}
