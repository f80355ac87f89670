package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
	"github.com/peerledger/peerledger/internal/bench"
	"github.com/peerledger/peerledger/internal/jsonline"
	"github.com/peerledger/peerledger/internal/replay"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// app is one run of the command: streams and shared flags.
type app struct {
	stdin                              io.Reader
	stdout, stderr                     io.Writer
	getenv                             func(string) string
	stdoutIsTerminal, stderrIsTerminal bool

	// The flags of all commands.
	config          string
	context         string
	folder          string
	clusterID       string
	addresses       []string
	timeout         time.Duration
	json            bool
	verbose         bool
	list            listing
	colour          string // colourAuto, colourAlways or colourNever
	yes             bool
	mayCreateLedger bool // with yes, the command may create a missing embedded ledger
	createdLedger   bool // the ledger was created, or would be with yes
	// usedContext and usedLedger say which ledger is meant, if a context is in use.
	usedContext, usedLedger string
	// wrapLedger wraps each opened ledger; nil wraps nothing. Tests lose answers with it.
	wrapLedger func(ledger.Ledger) ledger.Ledger
}

// The exit statuses. The package comment explains them.
const (
	statusDone = iota
	statusFailed
	statusUsage
	statusNoAnswer
	statusUnknown
	statusFound
)

var (
	// errUsage is matched by every error of the command line and of the configuration.
	errUsage = errors.New("wrong usage")
	// errFound is returned when a check found something and has already printed it.
	errFound = errors.New("something was found")
	// errNoAnswer is matched by the errors of opening a ledger.
	errNoAnswer = errors.New("the ledger does not answer")
)

// runCommand parses args, runs the command and returns the exit status.
func (a *app) runCommand(ctx context.Context, args []string) int {
	root := a.newRootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if cmd.CommandPath() == "peerledger check" { // with the statuses of monitoring plugins
		return a.endCheck(err)
	}
	if err == nil {
		return statusDone
	}
	status := exitStatus(err)
	if _, shown := errors.AsType[*faultsError](err); !shown && !errors.Is(err, errFound) && !errors.Is(err, errClausesFailed) {
		a.printError(err, status)
	}
	return status
}

// errorObject is an error with --json.
type errorObject struct {
	Error   string `json:"error"`
	Status  int    `json:"status"`            // the exit status
	Context string `json:"context,omitempty"` // the context in use
	Ledger  string `json:"ledger,omitempty"`  // its ledger
}

// printError prints an error and, where one exists, the next step.
func (a *app) printError(err error, status int) {
	if a.json {
		_ = jsonline.Write(a.stderr, errorObject{formatError(err), status, a.usedContext, a.usedLedger}) // if the write fails, the exit status still tells
		return
	}
	fmt.Fprintln(a.stderr, "peerledger:", formatError(err))
	if a.usedContext != "" {
		fmt.Fprintf(a.stderr, "This is of the context %s, %s.\n", a.usedContext, orDefault(a.usedLedger, "which names no ledger"))
	}
	switch {
	case errors.Is(err, errServedInUse):
		fmt.Fprintln(a.stderr, "One process at a time uses a folder: stop that process first, or give another --folder.")
	case errors.Is(err, embedded.ErrInUse):
		fmt.Fprintln(a.stderr, "Nothing was changed. One process at a time uses a folder: stop that process first (\"fuser FOLDER/lock\" prints its number). A running connector shows its books through its metrics.")
	case status == statusNoAnswer:
		fmt.Fprintln(a.stderr, "Nothing was changed. Find the cause with peerledger doctor.")
	case errors.Is(err, accounts.ErrNotProvisioned):
		fmt.Fprintln(a.stderr, "List the peers in the ledger and the missing ones with peerledger peers. Add one with peers add, or all configured ones with peers provision. The namespace of the configuration must be the connector's.")
	}
}

// formatError returns the text of an error without the prefix of errUsage.
func formatError(err error) string { return strings.ReplaceAll(err.Error(), errUsage.Error()+": ", "") }

// exitStatus maps an error to the exit status.
func exitStatus(err error) int {
	switch {
	case errors.Is(err, errFound):
		return statusFound
	case errors.Is(err, ledger.ErrOutcomeUnknown), errors.Is(err, errOrderOpen), errors.Is(err, settlement.ErrOrdersOpen), errors.Is(err, errInFlight):
		return statusUnknown
	case errors.Is(err, errNoAnswer), errors.Is(err, backup.ErrInUse), errors.Is(err, embedded.ErrInUse), errors.Is(err, errServedInUse):
		return statusNoAnswer
	case errors.Is(err, errUsage), errors.Is(err, wal.ErrNoLog), errors.Is(err, accounts.ErrInvalid), errors.Is(err, accounts.ErrUnknownAsset),
		errors.Is(err, bench.ErrUsage), errors.Is(err, replay.ErrUsage), errors.Is(err, flag.ErrHelp):
		return statusUsage
	default:
		return statusFailed
	}
}

// newRootCommand returns the root command with all subcommands.
func (a *app) newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "peerledger",
		Short: "Look after the peers, credit and settlements of an Interledger connector on TigerBeetle",
		Long: `Diagnose a TigerBeetle cluster, show and change the peers, credit lines and settlements
that a connector keeps in it, and back a single node up. No command writes to a ledger
without --yes, except that serve writes what its clients write.

The file peerledger.yaml (--config) names the ledger, the assets and the peers:

  folder: ledger                   # or cluster_id: "7" and addresses: [tb0:3001]
  namespace: example               # the same as in the connectors' configuration
  assets:
    - {code: USD, scale: 2, ledger: 1}
  peers:
    - {id: alice, asset: USD, credit_line: "100", settle_at: "20", settle_to: "5"}

To name the ledger, you can also set PEERLEDGER_FOLDER, or TIGERBEETLE_CLUSTER_ID and
TIGERBEETLE_ADDRESSES, or give flags. Flags override the environment, and the environment
overrides the file. The assets must match the assets in the ledger.

Give amounts in whole units of the asset: 12.50 of USD/2 are 1250 units.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: there is no command %q; peerledger help lists them", errUsage, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.checkFlags(cmd)
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; %s --help lists the flags", errUsage, err, cmd.CommandPath())
	})
	hideRefusedFlags(root)
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "configuration `file` (default $PEERLEDGER_CONFIG, or peerledger.yaml if it exists)")
	flags.StringVar(&a.context, "context", "", "use the configuration with this `name` (peerledger context)")
	flags.StringVar(&a.folder, "folder", "", "use the embedded ledger in this `folder` (default $PEERLEDGER_FOLDER)")
	flags.StringVar(&a.clusterID, "cluster-id", "", "the cluster's `id`, decimal (default $TIGERBEETLE_CLUSTER_ID)")
	flags.StringSliceVar(&a.addresses, "addresses", nil, "`addresses` of all replicas in order (default $TIGERBEETLE_ADDRESSES)")
	flags.DurationVar(&a.timeout, "timeout", 15*time.Second, "`time` to wait for the ledger")
	flags.BoolVar(&a.json, "json", false, "print JSON, one value a line, also for errors")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log the requests to the ledger, with their durations, on standard error")
	a.colour = colourAuto
	addChoiceFlag(flags, &a.colour, "color", "when", "print colours: auto (on a terminal, unless NO_COLOR is set), always or never", colourAuto, colourAlways, colourNever)
	a.addCommands(root)
	root.AddCommand(a.newVersionCommand(), a.newConfigCommand(), a.newContextCommand())
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpCommand(newHelpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	a.enableCompletion(root)
	wrapArgErrors(root)
	return root
}

// addCommands adds the subcommands in their groups.
func (a *app) addCommands(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "change", Title: "Change (with --yes):"},
		&cobra.Group{ID: "node", Title: "A single node's ledger, and a recorder's journal:"},
		&cobra.Group{ID: "measure", Title: "Try and measure:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"look":    {a.newDoctorCommand(), a.newCheckBooksCommand(), a.newBalancesCommand(), a.newStatementCommand(), a.newHistoryCommand(), a.newChartCommand(), a.newTrialBalanceCommand(), a.newExportCommand(), a.newResultCommand(), a.newAuditCommand(), a.newCompareCommand(), a.newHoldsCommand(), a.newFindCommand(), a.newOrdersCommand(), a.newLimitsCommand(), a.newExposureCommand(), a.newEnginesCommand(), a.newPacketsCommand(), a.newWatchCommand(), a.newConsoleCommand()},
		"change":  {a.newPeersCommand(), a.newCreditCommand(), a.newSettleCommand(), a.newAdjustCommand(), a.newFundCommand(), a.newWithdrawCommand(), a.newConnectorImportCommand(), a.newMigrateCommand()},
		"node":    {a.newBackupCommand(), a.newRestoreCommand(), a.newVerifyCommand()},
		"measure": {a.newServeCommand(), a.newBenchCommand(), a.newReplayCommand(), a.newRFC0038Command()},
	} {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
}

// newHelpCommand returns a help command that fails for an unknown command; cobra's own one
// succeeds.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "Help about a command", Args: rangeArgs(0, -1), Example: "  peerledger help settle now",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, unknown, err := cmd.Root().Find(args)
			if err != nil || len(unknown) > 0 {
				return fmt.Errorf("%w: there is no command %q; peerledger help lists them", errUsage, strings.Join(args, " "))
			}
			return found.Help()
		},
	}
}

// wrapArgErrors makes argument errors of cobra's own commands match errUsage.
func wrapArgErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err != nil && !errors.Is(err, errUsage) {
				err = fmt.Errorf("%w: %w", errUsage, err)
			}
			return err
		}
	}
	if cmd.Name() == "completion" && cmd.HasSubCommands() { // like our own groups of commands
		cmd.Args, cmd.RunE = requireSubcommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, child := range cmd.Commands() {
		wrapArgErrors(child)
	}
}

// exactArgs requires exactly n arguments; the error names the usage line.
func exactArgs(n int) cobra.PositionalArgs { return rangeArgs(n, n) }

// rangeArgs requires minArgs to maxArgs arguments; a negative maxArgs is no maximum.
func rangeArgs(minArgs, maxArgs int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < minArgs || maxArgs >= 0 && len(args) > maxArgs {
			return fmt.Errorf("%w: %s: got %s; usage: %s", errUsage, cmd.CommandPath(), formatCount(len(args), "argument"), cmd.UseLine())
		}
		return nil
	}
}

// requireSubcommand refuses arguments to a command that only groups subcommands.
func requireSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, child := range cmd.Commands() {
		names = append(names, child.Name())
	}
	return fmt.Errorf("%w: %s: there is no command %q; there is %s", errUsage, cmd.CommandPath(), args[0], strings.Join(names, ", "))
}

// addYesFlag adds the flag --yes. Without the flag a command only previews its change.
func (a *app) addYesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "write the change; without this flag the command only previews it")
}
