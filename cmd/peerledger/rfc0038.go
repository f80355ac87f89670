package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/check"
)

func (a *app) newRFC0038Command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rfc0038", Short: "Check settlement engines and connectors of RFC 0038, and run an engine for tests",
		Args: requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newCheckCommand(), a.newEngineCommand())
	return cmd
}

// checkFlagValues are the flags of check.
type checkFlagValues struct {
	role, account, amount, tokenFile, restart, listen, trigger string
	scale                                                      uint8
	timeout                                                    time.Duration
	only                                                       []string
}

// errClausesFailed is returned when clauses failed and were printed.
var errClausesFailed = errors.New("clauses failed")

func (a *app) newCheckCommand() *cobra.Command {
	var flags checkFlagValues
	cmd := &cobra.Command{
		Use:   "check url",
		Short: "Check a settlement engine or a connector against RFC 0038",
		Long: `Play the other side of RFC 0038 to a running program, and print for each clause whether it
passed. A clause is "must" if the RFC demands it, or if money is lost or doubled without it, and
"needed" if programs in use rely on it. The URL is the base URL of a settlement engine, or of a
connector's settlement API (--role connector).

Without --amount, each settlement of the check is of 1 at scale 19: below the smallest unit of
known rails, so nothing is paid; an engine of scale 18 that keeps remainders, as for ETH, pays
one unit (10^-18) for ten settlements. With --amount and --scale, the program takes this amount about
15 times; the last line has the count. An engine gets accounts of its own, which are deleted in
the end. In place of the first of them, --account names an existing account. A connector has no
way to add an account, so most clauses need --account there: choose an account for tests.

An engine also calls its connector, and a connector its engine. To check these calls, configure
the program with the address of --listen as its other side, and give with --trigger-with a
program that has it send one settlement: some 8 in all, of an amount that the program chooses.

The check sends about 80 requests, and waits for each answer at most --timeout. It reads
neither configuration file nor environment.

The exit status is 0 if no clause failed, 1 if one did, and 2 for a wrong command line.`,
		Example: "  peerledger rfc0038 check http://127.0.0.1:3000\n  peerledger rfc0038 check http://127.0.0.1:7771 --role connector --account 3f4a2548-d4bd-4786-bd1b-ea9eb35a5ed5\n  peerledger rfc0038 check http://127.0.0.1:3000 --restart-with ./restart-engine --json",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.checkSubject(cmd.Context(), args[0], flags, cmd.Flags().Changed("amount") != cmd.Flags().Changed("scale"))
		},
	}
	flags.role = string(check.Engine)
	addChoiceFlag(cmd.Flags(), &flags.role, "role", "role", "the program is an engine or a connector", string(check.Engine), string(check.Connector))
	cmd.Flags().StringVar(&flags.account, "account", "", "the `id` of an account that takes the settlements")
	cmd.Flags().StringVar(&flags.amount, "amount", "", "the `amount` of each settlement, an integer; with --scale (default 1 at scale 19)")
	cmd.Flags().Uint8Var(&flags.scale, "scale", 0, "the `scale` of --amount: 5 at scale 2 is 0.05 of a unit")
	cmd.Flags().StringVar(&flags.tokenFile, "token-file", "", "the `file` with the bearer token that the program wants")
	cmd.Flags().StringVar(&flags.restart, "restart-with", "", "a `program` that restarts the checked one; without it clauses about durability are skipped")
	cmd.Flags().StringVar(&flags.listen, "listen", "", "the `address` on which the program finds its other side: the check; with --trigger-with")
	cmd.Flags().StringVar(&flags.trigger, "trigger-with", "", "a `program` that has the checked one send one settlement to --listen; without it clauses about calls are skipped")
	cmd.Flags().DurationVar(&flags.timeout, "timeout", 10*time.Second, "`time` to wait for an answer")
	cmd.Flags().StringSliceVar(&flags.only, "only", nil, "run these `clauses` and the clauses that they need")
	return cmd
}

// checkSubject runs the clauses and prints their results. oneOfTwo reports that of --amount and --scale
// one was given.
func (a *app) checkSubject(ctx context.Context, target string, flags checkFlagValues, oneOfTwo bool) error {
	cfg := check.Config{URL: target, Role: check.Role(flags.role), Account: flags.account, Timeout: flags.timeout, Only: flags.only}
	if oneOfTwo {
		return fmt.Errorf("%w: give both --amount and --scale, or none", errUsage)
	}
	if flags.amount != "" {
		amount, ok := new(big.Int).SetString(flags.amount, 10)
		if !ok {
			return fmt.Errorf("%w: --amount: %q is no integer", errUsage, flags.amount)
		}
		cfg.Amount, cfg.Scale = amount, flags.scale
	}
	token, err := readToken(flags.tokenFile)
	if err != nil {
		return err
	}
	cfg.Token = token
	if err := a.addPrograms(ctx, &cfg, flags); err != nil {
		return err
	}
	report, err := a.runCheck(ctx, cfg)
	if errors.Is(err, check.ErrInvalidConfig) {
		return fmt.Errorf("%w: %w", errUsage, err)
	} else if err != nil {
		return err
	}
	if err := a.printReport(report, cfg); err != nil {
		return err
	}
	if report.Count(check.Failed) > 0 {
		return errClausesFailed
	}
	return nil
}

// readToken reads a token from a file; "" is no token.
func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w: --token-file: %w", errUsage, err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("%w: --token-file: %s is empty", errUsage, file)
	}
	return token, nil
}

// addPrograms adds the programs that restart the subject and have it call, and the listener.
func (a *app) addPrograms(ctx context.Context, cfg *check.Config, flags checkFlagValues) (err error) {
	if flags.restart != "" {
		cfg.Restart = a.newProgram(flags.restart)
	}
	switch {
	case (flags.listen == "") != (flags.trigger == ""):
		return fmt.Errorf("%w: give both --listen and --trigger-with, or none", errUsage)
	case flags.listen == "":
		return nil
	}
	cfg.Trigger = a.newProgram(flags.trigger)
	cfg.Listener, err = new(net.ListenConfig).Listen(ctx, "tcp", flags.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	return nil
}

// newProgram returns a function that runs a program of the operator.
func (a *app) newProgram(program string) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, program)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = a.stderr, a.stderr, time.Second
		return cmd.Run()
	}
}

// runCheck runs the suite with a bar on a terminal.
func (a *app) runCheck(ctx context.Context, cfg check.Config) (check.Report, error) {
	bar := progress.New(a.stderr, a.stderrIsTerminal && !a.json, "checking", 30)
	begun := false
	cfg.Started = func(clause check.Clause, of int) {
		if begun {
			bar.Step()
		} else {
			bar.Start(of)
		}
		begun = true
		bar.Say(clause.ID)
	}
	report, err := check.Run(ctx, cfg)
	if begun {
		bar.Stop(err)
	}
	return report, err
}

// checkSummary is the last line with --json.
type checkSummary struct {
	Passed  int              `json:"passed"`
	Failed  int              `json:"failed"`
	Skipped int              `json:"skipped"`
	Settled int              `json:"settled"` // settlements of Amount that the program took
	Amount  rfc0038.Quantity `json:"amount"`
}

// printReport prints the results.
func (a *app) printReport(report check.Report, cfg check.Config) error {
	sum := checkSummary{report.Count(check.Passed), report.Count(check.Failed), report.Count(check.Skipped), report.Settled, cfg.Quantity()}
	colours := map[check.Outcome]text.Colors{check.Passed: {text.FgGreen}, check.Failed: {text.FgRed, text.Bold}, check.Skipped: {text.FgYellow}}
	err := printRows(a, report.Results,
		column[check.Result]{title: "result", cell: func(r check.Result) string { return string(r.Outcome) }, colour: func(r check.Result) text.Colors { return colours[r.Outcome] }},
		column[check.Result]{title: "clause", cell: func(r check.Result) string { return r.ID }},
		column[check.Result]{title: "weight", cell: func(r check.Result) string { return string(r.Severity) }},
		column[check.Result]{title: "text", cell: func(r check.Result) string { return text.WrapSoft(r.Text, 70) }},
	)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(sum)
	}
	skipped := map[string]bool{}
	for _, r := range report.Results {
		switch {
		case r.Outcome == check.Failed:
			printFailure(a.stdout, r)
		case r.Outcome == check.Skipped && !skipped[r.Why]:
			skipped[r.Why] = true
			fmt.Fprintf(a.stdout, "\nskipped: %s\n", r.Why)
		}
	}
	_, err = fmt.Fprintf(a.stdout, "\n%d passed, %d failed, %d skipped. The program took %s of %v.\n", sum.Passed, sum.Failed, sum.Skipped, formatCount(sum.Settled, "settlement"), sum.Amount)
	return err
}

// printFailure prints why a clause failed, and its requests.
func printFailure(w io.Writer, r check.Result) {
	fmt.Fprintf(w, "\nFAILED %s: %s\n  source: %s\n", r.ID, r.Why, r.Source)
	for _, one := range r.Exchanges {
		fmt.Fprintf(w, "  sent:   %s\n  seen:   %s\n", one.Sent, one.Seen)
	}
}
