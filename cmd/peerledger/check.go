package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/settlement"
)

// checkOptions are the flags of check: thresholds, and the output.
type checkOptions struct {
	asset          string
	output         string
	line           [2]percent       // of a credit line that is used, for a warning and for a problem
	stuck          [2]time.Duration // an order's age, for a warning and for a problem
	liquidity      [2][]string      // levels of our liquidity, for a warning and for a problem, as in USD=100
	noTrialBalance bool
}

// percent is a flag's whole number from 1 to 100, with or without a percent sign.
type percent int

func (p *percent) String() string { return fmt.Sprintf("%d%%", int(*p)) }
func (*percent) Type() string     { return "percent" }

// Set reads the value of a flag.
func (p *percent) Set(text string) error {
	number, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || number < 1 || number > 100 {
		return errors.New("must be a percentage from 1% to 100%")
	}
	*p = percent(number)
	return nil
}

func (a *app) newCheckBooksCommand() *cobra.Command {
	f := checkOptions{output: "nagios", line: [2]percent{80, 95}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the books for a monitoring program, as a Nagios plugin",
		Long: `Check the books, print one line for a monitoring program, and exit with the status of a
monitoring plugin: 0 ok, 1 warning, 2 critical, 3 unknown. The status is 3 whenever the command
cannot judge: the ledger does not answer in time, or a flag or the configuration is wrong.

  credit lines   of all peers in the ledger: the used part of a peer's line has reached
                 --line-warning or --line-critical
  arrears        a peer is in arrears (warning)
  peers          a configured peer is not in the ledger (warning): all of them if the namespace
                 is wrong
  suspense       money waits in suspense for a closed peer (warning)
  orders         of the configured peers: an order is open for --stuck-warning or
                 --stuck-critical
  liquidity      our liquidity in an asset is below 0 (warning), or at or below
                 --liquidity-warning or --liquidity-critical, as in USD=100
  trial balance  debits and credits differ, or an amount has stayed in transit (critical)

The line has the performance data of the plugins behind a bar. With -o json, the same as one JSON
object. The checks of the cluster itself are in "peerledger doctor".`,
		Example: "  peerledger check\n  peerledger check --line-warning 70% --stuck-critical 30m\n  peerledger check -o json\n  peerledger check --liquidity-warning USD=1000 --liquidity-critical USD=100",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.validate(a); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
			defer cancel()
			var r bookReport
			err := a.withEngine(ctx, nil, func(s *session, engine *settlement.Engine) (err error) {
				r, err = s.checkBooks(ctx, engine, f)
				return err
			})
			if err != nil {
				return err
			}
			return a.showCheck(r)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	flags.VarP(choiceFlag{&f.output, []string{"nagios", "json"}, "format"}, "output", "o", "print the result as nagios or json (--json is -o json)")
	flags.Var(&f.line[0], "line-warning", "warn when this part of a credit line is used")
	flags.Var(&f.line[1], "line-critical", "report a problem when this part of a credit line is used")
	flags.DurationVar(&f.stuck[0], "stuck-warning", 10*time.Minute, "warn when an order is open for this `time`")
	flags.DurationVar(&f.stuck[1], "stuck-critical", time.Hour, "report a problem when an order is open for this `time`")
	flags.StringArrayVar(&f.liquidity[0], "liquidity-warning", nil, "warn when our liquidity is at or below this `amount`, as in USD=1000; once for each asset")
	flags.StringArrayVar(&f.liquidity[1], "liquidity-critical", nil, "report a problem when our liquidity is at or below this `amount`")
	flags.BoolVar(&f.noTrialBalance, "no-trial-balance", false, "do not add up all accounts")
	return cmd
}

// validate refuses contradictory flags, and chooses the output.
func (f *checkOptions) validate(a *app) error {
	switch {
	case f.line[0] > f.line[1]:
		return fmt.Errorf("%w: --line-warning must be at most --line-critical", errUsage)
	case f.stuck[0] > f.stuck[1]:
		return fmt.Errorf("%w: --stuck-warning must be at most --stuck-critical", errUsage)
	}
	a.json = a.json || f.output == "json"
	return nil
}

// checkBooks checks the books in each asset. A finding is no error.
func (s *session) checkBooks(ctx context.Context, engine *settlement.Engine, f checkOptions) (bookReport, error) {
	var r bookReport
	assets, err := s.selectAssets(f.asset)
	if err != nil {
		return r, err
	}
	own, err := s.book.OwnPositions(ctx)
	if err != nil && !errors.Is(err, accounts.ErrNotProvisioned) { // of a wrong namespace, which checkPeers reports
		return r, err
	}
	for _, asset := range assets {
		settling, err := s.checkPeers(ctx, asset, f, &r)
		if err != nil {
			return r, err
		}
		if err := checkOpenOrders(ctx, engine, asset, settling, f, &r); err != nil {
			return r, err
		}
		if err := s.checkLiquidity(asset, own, f, &r); err != nil {
			return r, err
		}
		if f.noTrialBalance {
			continue
		}
		if err := s.checkTrialBalance(ctx, asset, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// checkPeers checks all peers in an asset. It returns the configured peers with an open order.
func (s *session) checkPeers(ctx context.Context, asset accounts.Asset, f checkOptions, r *bookReport) (settling []accounts.PeerAccount, err error) {
	peers, owing, most := 0, 0, 0
	arrears, waiting := new(big.Int), new(big.Int)
	configured, complete := s.listConfigured(asset), map[string]bool{}
	for entry, err := range s.book.Peers(ctx, asset, configured...) {
		if err != nil {
			return nil, err
		}
		if peers++; entry.Incomplete {
			continue
		}
		complete[entry.Account.Peer()] = true
		name, b := orDefault(entry.Account.Peer(), "("+entry.ID.String()+")"), entry.Balance
		if !b.Suspended && !b.Closed {
			most = max(most, bookcheck.ComputeUsed(&b))
		}
		if !b.Arrears.IsZero() {
			owing++
			arrears.Add(arrears, b.Arrears.Big())
		}
		r.add(bookcheck.CheckLine(asset, name, &b, f.thresholds()))
		r.add(bookcheck.CheckArrears(asset, name, &b))
		if entry.Known() && !b.Settling.IsZero() {
			settling = append(settling, entry.Account)
		}
		amounts, err := s.book.WaitingInSuspense(ctx, b)
		if err != nil {
			return nil, err
		}
		waiting.Add(waiting, amounts[0].Big())
		r.add(bookcheck.CheckSuspense(asset, name, amounts[0]))
	}
	for _, name := range configured { // all of them are missing if the namespace is wrong
		r.add(bookcheck.CheckConfigured(asset, name, complete[name]))
	}
	r.measure("peers", asset, strconv.Itoa(peers), "", "", "")
	r.measure("line_used", asset, strconv.Itoa(most), "%", strconv.Itoa(int(f.line[0])), strconv.Itoa(int(f.line[1])))
	r.measure("peers_in_arrears", asset, strconv.Itoa(owing), "", "", "")
	r.measure("arrears", asset, formatSigned(asset, arrears), "", "0", "")
	r.measure("suspense", asset, formatSigned(asset, waiting), "", "0", "")
	return settling, nil
}

// checkOpenOrders checks the ages of the open orders of accounts in an asset.
func checkOpenOrders(ctx context.Context, engine *settlement.Engine, asset accounts.Asset, list []accounts.PeerAccount, f checkOptions, r *bookReport) error {
	var orders []settlement.OpenOrder
	if len(list) > 0 { // without accounts the engine lists all that it knows
		var err error
		if orders, err = engine.Orders(ctx, list...); err != nil {
			return err
		}
	}
	stuck, oldest, now := 0, time.Duration(0), time.Now()
	for i := range orders {
		o := &orders[i]
		finding := bookcheck.CheckOrder(o, now, f.thresholds())
		if oldest = max(oldest, o.Age(now)); finding.Status != bookcheck.OK {
			stuck++
		}
		r.add(finding)
	}
	seconds := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	r.measure("orders", asset, strconv.Itoa(len(orders)), "", "", "")
	r.measure("orders_stuck", asset, strconv.Itoa(stuck), "", "", "")
	r.measure("oldest_order", asset, seconds(oldest), "s", seconds(f.stuck[0]), seconds(f.stuck[1]))
	return nil
}

// checkTrialBalance adds up all accounts of an asset.
func (s *session) checkTrialBalance(ctx context.Context, asset accounts.Asset, r *bookReport) error {
	_, err := s.book.TrialBalance(ctx, asset)
	finding, err := bookcheck.CheckTrial(err)
	if err != nil {
		return err
	}
	r.add(finding)
	switch finding.Status {
	case bookcheck.OK, bookcheck.Warning:
		r.measure("unbalanced", asset, "0", "", "", "0")
	case bookcheck.Critical:
		r.measure("unbalanced", asset, "1", "", "", "0")
	case bookcheck.Unknown: // no figure
	}
	return nil
}

// thresholds returns the thresholds of the flags.
func (f *checkOptions) thresholds() bookcheck.Thresholds {
	return bookcheck.Thresholds{Line: [2]int{int(f.line[0]), int(f.line[1])}, Stuck: f.stuck}
}
