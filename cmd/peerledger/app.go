package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bench"
	"github.com/peerledger/peerledger/internal/replay"
	"github.com/peerledger/peerledger/ledger"
)

// app is one run of the command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	shown, watched bool // stdout and stderr are terminals

	// The flags of all commands.
	config    string
	folder    string
	clusterID string
	addresses []string
	timeout   time.Duration
	json      bool
	yes       bool
	create    bool // an embedded ledger that is not there may be made
}

// The exit statuses; see the package comment.
const (
	statusDone = iota
	statusFailed
	statusUsage
	statusNoAnswer
	statusUnknown
	statusFound
)

var (
	// errUsage is matched by the errors of a wrong command line or configuration.
	errUsage = errors.New("usage")
	// errFound says that something was found, and shown already.
	errFound = errors.New("something was found")
	// errNoAnswer is matched by the errors of a ledger that could not be opened.
	errNoAnswer = errors.New("the ledger does not answer")
)

// run is the program. It returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return statusDone
	}
	status := exitStatus(err)
	if !errors.Is(err, errFound) {
		a.complain(err, status)
	}
	return status
}

// complain says what went wrong, one fault a line.
func (a *app) complain(err error, status int) {
	if a.json {
		_ = json.NewEncoder(a.stderr).Encode(struct { // a lost complaint leaves the status
			Error  string `json:"error"`
			Status int    `json:"status"`
		}{err.Error(), status})
		return
	}
	fmt.Fprintln(a.stderr, "peerledger:", strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
	if status == statusNoAnswer {
		fmt.Fprintln(a.stderr, "Nothing was changed. peerledger doctor finds out more.")
	}
}

func exitStatus(err error) int {
	switch {
	case errors.Is(err, errFound):
		return statusFound
	case errors.Is(err, ledger.ErrOutcomeUnknown):
		return statusUnknown
	case errors.Is(err, errNoAnswer):
		return statusNoAnswer
	case errors.Is(err, errUsage), errors.Is(err, accounts.ErrInvalid), errors.Is(err, accounts.ErrUnknownAsset),
		errors.Is(err, bench.ErrUsage), errors.Is(err, replay.ErrUsage), errors.Is(err, flag.ErrHelp):
		return statusUsage
	default:
		return statusFailed
	}
}

// root is the command with all its commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "peerledger",
		Short: "Look after the peers, credit and settlements of an Interledger connector on TigerBeetle",
		Long: `peerledger says what is wrong with a TigerBeetle cluster, shows and changes the
peers, credit lines and settlements that package peerledger keeps in it, and backs a
single node up. No ledger is written to without --yes.

Which ledger, assets and peers there are is in peerledger.yaml (--config). Which ledger
is also taken from TIGERBEETLE_CLUSTER_ID and TIGERBEETLE_ADDRESSES, and from flags,
which come first.

Amounts are in whole units of the asset: 12.50 of USD/2 are 1250 units.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: there is no command %q; peerledger help lists them", errUsage, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "configuration `file` (default $PEERLEDGER_CONFIG, or peerledger.yaml if it is there)")
	flags.StringVar(&a.folder, "folder", "", "use the embedded ledger in this `folder` (default $PEERLEDGER_FOLDER)")
	flags.StringVar(&a.clusterID, "cluster-id", "", "the cluster's `id`, decimal (default $TIGERBEETLE_CLUSTER_ID)")
	flags.StringSliceVar(&a.addresses, "addresses", nil, "`addresses` of all replicas in order (default $TIGERBEETLE_ADDRESSES)")
	flags.DurationVar(&a.timeout, "timeout", 15*time.Second, "`time` to wait for the ledger")
	flags.BoolVar(&a.json, "json", false, "print JSON, one value a line, also for errors")
	root.AddGroup(
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "change", Title: "Change (with --yes):"},
		&cobra.Group{ID: "node", Title: "A single node's data file:"},
		&cobra.Group{ID: "measure", Title: "Try and measure:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"look":    {a.doctorCommand(), a.balancesCommand(), a.statementCommand(), a.holdsCommand(), a.ordersCommand(), a.watchCommand()},
		"change":  {a.peersCommand(), a.creditCommand(), a.settleCommand(), a.adjustCommand(), a.migrateCommand()},
		"node":    {a.backupCommand(), a.restoreCommand(), a.verifyCommand()},
		"measure": {a.benchCommand(), a.replayCommand()},
	} {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	root.AddCommand(a.versionCommand())
	a.complete(root)
	return root
}

// complete has shells complete the peers of all commands that take one.
func (a *app) complete(cmd *cobra.Command) {
	if strings.Contains(cmd.Use, " peer") || strings.Contains(cmd.Use, " [peer") {
		cmd.ValidArgsFunction = a.completePeers
	}
	for _, child := range cmd.Commands() {
		a.complete(child)
	}
}

// exactly wants so many arguments, and says which.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

// between wants least to most arguments; most below 0 is any number.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("%w: %s: got %d arguments; usage: %s", errUsage, cmd.CommandPath(), len(args), cmd.UseLine())
		}
		return nil
	}
}

// writes adds the flag without which a command only says what it would do.
func (a *app) writes(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "write it; without this the command only says what it would do")
}
