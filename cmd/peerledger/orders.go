package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// operatorInstance is the instance name of this command's engine. Orders of connectors have other
// owners, so the engine never resumes them.
const operatorInstance = "peerledger-operator"

// defaultEnginesInstance is the instance name of "engines run", unless a flag gives another.
const defaultEnginesInstance = "peerledger-engines"

// withEngine opens the ledger with a settlement engine that acts on request only, and calls run.
// With rails the engine can pay, by the thresholds and within the limits of the configuration.
func (a *app) withEngine(ctx context.Context, rails func(config) (settlement.Rails, error), run func(*session, *settlement.Engine) error) error {
	return a.withSession(ctx, func(s *session) (err error) {
		cfg := settlement.Config{
			Manual: true, Instance: operatorInstance,
			NoTakeover: true, // the order of a silent connector stays that connector's
		}
		if rails == nil {
			cfg.Rails = nameEngineRails(s.cfg)
		} else {
			if cfg.Rails, err = rails(s.cfg); err != nil {
				return err
			}
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
				closing = nil // err already has the reason
			}
			err = errors.Join(err, closing)
		}()
		return run(s, engine)
	})
}

// orderRow is an open order in the output.
type orderRow struct {
	Peer     string `json:"peer"`
	Asset    string `json:"asset"`
	Order    string `json:"order"` // the id, which is also the key at the rail
	Sequence uint64 `json:"sequence"`
	Amount   string `json:"amount"`
	Rail     string `json:"rail,omitempty"`
	Placed   string `json:"placed"`
	Age      string `json:"age"`
	Claimed  string `json:"claimed,omitempty"`   // when the engine last renewed its lease
	Waits    string `json:"waits_for,omitempty"` // the reason why no rail gets the order
	Stuck    bool   `json:"stuck"`
	// Answer is why the order waits for an operator, by the state that "engines run" wrote: parked or
	// stopped, with the engine's answer.
	Answer string `json:"answer,omitempty"`
}

func (a *app) newOrdersCommand() *cobra.Command {
	var asset string
	var stuck time.Duration
	var closed closedFlags
	cmd := &cobra.Command{
		Use:   "orders [peer...]",
		Short: "Show settlement orders that are neither paid nor cancelled, or closed ones",
		Long: `Show the open settlement orders of these peers, or of all configured peers, with the time of
the order and of the last sign of life of the engine that owns it.

  stuck                       The order has been open for longer than --stuck. Ask the rail for the
                              state of its key (the order's id), and close the order with
                              "peerledger settle resolve" or "settle cancel".
  answer                      "peerledger engines run" has an answer of the rail's engine that an
                              operator has to decide: see "peerledger engines --stuck".
  waits for approval          No rail has the order. Give "settle approve" or "settle cancel".
  waits for end of the pause  The order is paid after "settle resume" or "settle start"
                              ("settle pauses" shows the pauses).

With --closed, show the orders that are closed, the newest closing first, with what was paid and the
engine that owned the order last (its name, or the id of a name that this command does not know). The
errors of a rail are not in the ledger: they are in the log of the engine. The outcome is

  paid          in full, in part or beyond the order
  voided        the rail declined it or paid nothing, or an operator cancelled it
  refused       an operator or a limit refused the order, which needed an approval
  failed check  an engine found the order too large
  withdrawn     the engine gave it back before it asked a rail`,
		Example: "  peerledger orders\n  peerledger orders alice --json\n  peerledger orders --closed --limit 20",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := closed.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				if closed.closed {
					return s.showClosedOrders(cmd.Context(), engine, &closed, list)
				}
				a.list.limit = closed.limit
				return s.showOpenOrders(cmd.Context(), engine, stuck, list)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().DurationVar(&stuck, "stuck", 10*time.Minute, "an order older than this is stuck")
	cmd.Flags().BoolVar(&closed.closed, "closed", false, "show the closed orders")
	cmd.Flags().StringVar(&closed.before, "before", "", "with --closed: those closed before this `time` (default: now)")
	cmd.Flags().IntVar(&closed.limit, "limit", 0, fmt.Sprintf("show at most this `number` of orders; 0 is all open orders, or the newest %d closed ones (up to %d)", settlement.DefaultClosedOrders, settlement.MaxClosedOrders))
	a.addListFlags(cmd)
	return cmd
}

// showOpenOrders prints the open orders of accounts, and the pauses.
func (s *session) showOpenOrders(ctx context.Context, engine *settlement.Engine, stuck time.Duration, list []accounts.PeerAccount) error {
	orders, err := engine.Orders(ctx, list...)
	if err != nil {
		return err
	}
	status, err := readStatus(s.cfg.statusFile())
	if err != nil { // the orders are right without the answers
		fmt.Fprintf(s.stderr, "peerledger: warning: the answers of engines are missing: %v.\n", err)
	}
	rows := make([]orderRow, len(orders))
	for i, o := range orders {
		age := o.Age(time.Now())
		rows[i] = orderRow{
			Peer: o.Account.Peer(), Asset: o.Asset.String(), Order: o.ID.String(), Sequence: o.Sequence,
			Amount: o.Asset.Format(o.Amount), Placed: formatTime(o.PlacedAt), Age: age.Round(time.Second).String(),
			Claimed: formatTime(o.LeaseRenewedAt), Waits: describeWait(o), Stuck: age > stuck,
			Rail: o.Rail, Answer: status.findAnswer(o.ID.String()),
		}
	}
	if err := showOrders(s.app, rows); err != nil || !s.printsTable() {
		return err
	}
	pauses, err := engine.Pauses(ctx)
	for _, p := range pauses {
		fmt.Fprintf(s.stdout, "Mind that %v.\n", p)
	}
	return err
}

// showOrders prints the open orders.
func showOrders(a *app, rows []orderRow) error {
	a.list.whenEmpty = "No order is open."
	return printRows(a, rows,
		column[orderRow]{title: "peer", cell: func(r orderRow) string { return r.Peer }},
		column[orderRow]{title: "asset", cell: func(r orderRow) string { return r.Asset }},
		column[orderRow]{title: "order", names: true, cell: func(r orderRow) string { return r.Order }},
		column[orderRow]{title: "amount", cell: func(r orderRow) string { return r.Amount }, right: true},
		column[orderRow]{title: "placed", isTime: true, cell: func(r orderRow) string { return r.Placed }},
		column[orderRow]{title: "age", right: true, cell: func(r orderRow) string { return r.Age }, colour: func(r orderRow) text.Colors {
			if r.Stuck {
				return text.Colors{text.FgRed}
			}
			return nil
		}},
		column[orderRow]{title: "waits for", cell: func(r orderRow) string { return r.Waits }},
		column[orderRow]{title: "claimed", isTime: true, cell: func(r orderRow) string { return r.Claimed }},
		column[orderRow]{title: "rail", cell: func(r orderRow) string { return r.Rail }},
		column[orderRow]{title: "sequence", cell: func(r orderRow) string { return strconv.FormatUint(r.Sequence, 10) }, right: true, wide: true},
		column[orderRow]{title: "stuck", cell: func(r orderRow) string { return formatFlag(r.Stuck) }, wide: true},
		column[orderRow]{title: "answer", cell: func(r orderRow) string { return r.Answer }},
	)
}

// policies returns the policies of the configuration.
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
		if e, found := s.cfg.findEngine(p, asset); found {
			policy = e.raiseToUnit(policy, asset)
		}
		if policy != nil {
			policies.PeerAsset[peerAsset{Peer: p.ID, Asset: asset}] = policy
		}
	}
	return policies, nil
}
