package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// ledgerFlags are the flags that name a ledger.
var ledgerFlags = []string{"folder", "cluster-id", "addresses"}

// refusedFlags lists, by command, inherited flags without an effect on the command. They are
// refused: an operator must not believe that a flag had an effect.
var refusedFlags = map[string][]string{
	"peerledger backup list":    ledgerFlags,
	"peerledger bench":          {"folder"},
	"peerledger config check":   {"timeout"},
	"peerledger config init":    {"folder", "cluster-id", "addresses", "config", "context", "timeout"},
	"peerledger context list":   {"folder", "cluster-id", "addresses", "config", "context", "timeout"},
	"peerledger context show":   {"timeout"},
	"peerledger context use":    {"folder", "cluster-id", "addresses", "config", "context", "timeout"},
	"peerledger engines":        ledgerFlags,
	"peerledger engines add":    ledgerFlags,
	"peerledger help":           ledgerFlags,
	"peerledger packets":        {"folder", "cluster-id", "addresses", "timeout"},
	"peerledger replay":         ledgerFlags,
	"peerledger restore":        ledgerFlags,
	"peerledger serve":          {"addresses", "config", "context", "timeout"},
	"peerledger rfc0038 check":  {"folder", "cluster-id", "addresses", "config", "context"},
	"peerledger rfc0038 engine": {"cluster-id", "addresses", "config", "context", "timeout"},
	"peerledger version":        ledgerFlags,

	// Pauses apply to all assets.
	"peerledger settle pause":  {"asset"},
	"peerledger settle pauses": {"asset"},
	"peerledger settle resume": {"asset"},
	"peerledger settle start":  {"asset"},
	"peerledger settle stop":   {"asset"},
}

// checkFlags refuses a command line with missing, contradictory or useless flags.
func (a *app) checkFlags(cmd *cobra.Command) error {
	if missing := listMissingFlags(cmd); len(missing) > 0 {
		return fmt.Errorf("%w: %s: give %s; %s --help lists the flags", errUsage, cmd.CommandPath(), strings.Join(missing, " and "), cmd.CommandPath())
	}
	if err := a.list.validate(cmd.Flags().Changed("json")); err != nil {
		return err
	}
	return checkLedgerFlags(cmd)
}

// listMissingFlags returns the required flags that are not given, each with the name of its value.
func listMissingFlags(cmd *cobra.Command) (missing []string) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if _, required := flag.Annotations[cobra.BashCompOneRequiredFlag]; required && !flag.Changed {
			value, _ := pflag.UnquoteUsage(flag)
			missing = append(missing, "--"+flag.Name+" "+value)
		}
	})
	return missing
}

// checkLedgerFlags refuses flags of two ledgers, and flags in refusedFlags.
func checkLedgerFlags(cmd *cobra.Command) error {
	isGiven := cmd.Flags().Changed
	if isGiven("context") && (isGiven("config") || isGiven("folder") || isGiven("cluster-id") || isGiven("addresses")) {
		return fmt.Errorf("%w: --context names a configuration with its ledger: leave out --config, --folder, --cluster-id and --addresses", errUsage)
	}
	isServe := cmd.CommandPath() == "peerledger serve" // serves a folder as a cluster
	if !isServe && isGiven("folder") && (isGiven("cluster-id") || isGiven("addresses")) {
		return fmt.Errorf("%w: --folder names an embedded ledger, and --cluster-id and --addresses name a cluster: give one of the two", errUsage)
	}
	for _, name := range refusedFlags[cmd.CommandPath()] {
		if !isGiven(name) {
			continue
		}
		if isServe && name == "addresses" {
			return fmt.Errorf("%w: serve takes no --addresses: --address is the address to listen on", errUsage)
		}
		return fmt.Errorf("%w: %s takes no --%s", errUsage, cmd.CommandPath(), name)
	}
	return nil
}

// hideRefusedFlags leaves the flags of refusedFlags out of the help of the command. The flags belong to all
// commands: they are hidden when a help is written, after which the process ends.
func hideRefusedFlags(root *cobra.Command) {
	write := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		for _, name := range refusedFlags[cmd.CommandPath()] {
			if flag := cmd.InheritedFlags().Lookup(name); flag != nil {
				flag.Hidden = true
			}
		}
		write(cmd, args)
	})
}

// isClusterInEnv reports whether the environment names a cluster, or a part of one.
func (a *app) isClusterInEnv() bool {
	return a.getenv(cluster.EnvClusterID)+a.getenv(cluster.EnvAddresses)+a.getenv(cluster.EnvHost)+a.getenv(cluster.EnvPort) != ""
}

// checkSingleLedger refuses an environment or a file that names both a folder and a cluster, unless
// a source of higher precedence decides.
func (a *app) checkSingleLedger(cfg config) error {
	folder := a.getenv("PEERLEDGER_FOLDER")
	switch {
	case a.folder != "" || a.clusterID != "" || len(a.addresses) > 0:
		return nil
	case folder != "" && a.isClusterInEnv():
		return fmt.Errorf("%w: environment: PEERLEDGER_FOLDER names an embedded ledger, and TIGERBEETLE_* name a cluster: unset one of the two, or give --folder or --cluster-id and --addresses", errUsage)
	case folder != "" || a.isClusterInEnv():
		return nil
	case cfg.Folder != "" && (cfg.ClusterID != "" || len(cfg.Addresses) > 0):
		return fmt.Errorf("%w: %s: folder names an embedded ledger, and cluster_id and addresses name a cluster: keep one of the two", errUsage, cfg.fileName())
	default:
		return nil
	}
}

// selectFolder returns the folder of the embedded ledger that flags, environment or file name, in
// this order of precedence; "" if they name a cluster or nothing.
func (a *app) selectFolder(cfg config) string {
	switch {
	case a.folder != "":
		return a.folder
	case a.clusterID != "" || len(a.addresses) > 0:
		return ""
	case a.getenv("PEERLEDGER_FOLDER") != "":
		return a.getenv("PEERLEDGER_FOLDER")
	case a.isClusterInEnv():
		return ""
	default:
		return cfg.Folder
	}
}

// openLedger opens the ledger that flags, environment or file name.
func (a *app) openLedger(ctx context.Context, cfg config) (ledger.Ledger, error) {
	l, err := a.openNamedLedger(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return a.observeLedger(l), nil
}

// openNamedLedger opens the ledger without a log around it.
func (a *app) openNamedLedger(ctx context.Context, cfg config) (ledger.Ledger, error) {
	if folder := a.selectFolder(cfg); folder != "" {
		return a.openFolder(ctx, folder)
	}
	clusterConfig, err := a.resolveCluster(cfg)
	if err != nil {
		return nil, err
	}
	return openCluster(ctx, clusterConfig)
}

// openFolder opens an embedded ledger. Only commands with mayCreateLedger create a missing one: for
// a reader, a missing ledger is a typing error or a disk that is not mounted.
func (a *app) openFolder(ctx context.Context, folder string, options ...embedded.Option) (ledger.Ledger, error) {
	found, err := embedded.Exists(folder)
	switch {
	case err != nil && isFile(folder):
		return nil, fmt.Errorf("%w: %s is a file, not the folder of a ledger", errUsage, folder)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	case !found && !a.mayCreateLedger:
		return nil, fmt.Errorf("%w: no ledger to read in %s; \"peerledger peers provision --yes\" creates one", errUsage, folder)
	}
	if a.createdLedger = !found; a.createdLedger && !a.yes {
		return embedded.New(options...), nil // the preview reads an empty ledger
	}
	l, err := embedded.Open(folder, append(options, embedded.WithProgress(a.showOpening(ctx, folder)))...)
	switch {
	case err == nil:
		a.noteConversion(folder, l.Recovery().Converted)
		a.warnOfClock(folder, l.Recovery().ClockAhead)
		return l, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: the parent folder %s does not exist: create it first", errUsage, filepath.Dir(filepath.Clean(folder)))
	case errors.Is(err, embedded.ErrCorrupt), errors.Is(err, embedded.ErrIncompatible):
		return nil, fmt.Errorf("nothing was changed: %w", err)
	default:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
}

// shownOpening is the size of a folder, in bytes, whose opening takes long enough to be shown.
const shownOpening = 256 << 20

// showOpening returns a function that shows the progress of opening a large folder on a terminal, and
// ends it with the context.
func (a *app) showOpening(ctx context.Context, folder string) func(done, all int64) error {
	return func(done, all int64) error {
		if a.stderrIsTerminal && !a.json && all >= shownOpening {
			fmt.Fprintf(a.stderr, "\ropening %s: %d of %d MiB", folder, done>>20, all>>20)
			if done == all {
				fmt.Fprintln(a.stderr)
			}
		}
		return ctx.Err()
	}
}

// noteConversion tells that a folder was converted.
func (a *app) noteConversion(folder string, converted bool) {
	if converted {
		fmt.Fprintf(a.stderr, "peerledger: %s was written by an older version, and has been converted. Older versions refuse it from now on.\n", folder)
	}
}

// describeNewLedger returns a note if the command creates the ledger, or would create it.
func (a *app) describeNewLedger() string {
	switch {
	case a.createdLedger && a.yes:
		return "The ledger is a new one: the folder had none."
	case a.createdLedger:
		return "There is no ledger in the folder yet: this command creates it."
	default:
		return ""
	}
}

// isFile reports whether path is a file and not a folder.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// checkAssets refuses a configuration whose assets differ from the ledger's. Amounts are in whole
// units, so a wrong scale would change each amount.
func checkAssets(ctx context.Context, book *accounts.Book, cfg config) error {
	err := book.CheckAssets(ctx)
	var drift *accounts.DriftError
	if !errors.As(err, &drift) {
		return err
	}
	faults := []error{fmt.Errorf("%w: the assets in %s differ from the ledger's, so no amount can be trusted", errUsage, cfg.fileName())}
	reported := map[string]bool{}
	for _, d := range drift.Drifts {
		asset, _ := book.Asset(d.Account.Ledger())
		text := fmt.Sprintf("%v on ledger %d: %s", asset, asset.Ledger, describeDrift(d))
		if !reported[text] {
			reported[text] = true
			faults = append(faults, errors.New(text))
		}
	}
	return errors.Join(faults...)
}

// describeDrift describes how an asset differs. All accounts of the asset differ in the same way.
func describeDrift(d accounts.Drift) string {
	switch {
	case d.Field == "scale" && strings.HasPrefix(d.AccountKind, "another namespace"):
		return fmt.Sprintf("another namespace has it with the scale %s", d.Got)
	case d.Field == "scale":
		return fmt.Sprintf("its scale is %s in the ledger", d.Got)
	case d.Field == "ledger":
		return fmt.Sprintf("the ledger has it under the number %s", d.Got)
	case d.Field == "asset":
		return "the ledger has another asset under this number"
	default:
		return fmt.Sprintf("its %s account has other %s in the ledger: %s", d.AccountKind, d.Field, d.Got)
	}
}
