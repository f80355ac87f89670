package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// ledgerFlags are the flags that say which ledger a command works on.
var ledgerFlags = []string{"folder", "cluster-id", "addresses"}

// refusedFlags are the flags that a command has from those above it and has no use for. A flag
// that changes nothing would let an operator believe that it does.
var refusedFlags = map[string][]string{
	"peerledger backup list": ledgerFlags,
	"peerledger bench":       {"folder"},
	"peerledger help":        ledgerFlags,
	"peerledger replay":      ledgerFlags,
	"peerledger restore":     ledgerFlags,
	"peerledger version":     ledgerFlags,

	// Pauses are in all assets, and so is their end.
	"peerledger settle pause":  {"asset"},
	"peerledger settle pauses": {"asset"},
	"peerledger settle resume": {"asset"},
	"peerledger settle start":  {"asset"},
	"peerledger settle stop":   {"asset"},
}

// checkFlags refuses a command line that lacks a flag, or whose flags cannot be meant.
func checkFlags(cmd *cobra.Command, _ []string) error {
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return fmt.Errorf("%w: %s: %w", errUsage, cmd.CommandPath(), err)
	}
	return checkLedgerFlags(cmd)
}

// checkLedgerFlags refuses flags that contradict each other, or that the command has no use for.
func checkLedgerFlags(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	if given("folder") && (given("cluster-id") || given("addresses")) {
		return fmt.Errorf("%w: --folder is an embedded ledger, and --cluster-id and --addresses are a cluster: give one of the two", errUsage)
	}
	for _, name := range refusedFlags[cmd.CommandPath()] {
		if given(name) {
			return fmt.Errorf("%w: %s takes no --%s", errUsage, cmd.CommandPath(), name)
		}
	}
	return nil
}

// isClusterInEnv reports whether the environment names a cluster, or a part of it.
func (a *app) isClusterInEnv() bool {
	return a.getenv(cluster.EnvClusterID)+a.getenv(cluster.EnvAddresses)+a.getenv(cluster.EnvHost)+a.getenv(cluster.EnvPort) != ""
}

// checkSingleLedger refuses an environment or a file that names both a folder and a cluster, where it
// is the one that decides.
func (a *app) checkSingleLedger(cfg config) error {
	folder := a.getenv("PEERLEDGER_FOLDER")
	switch {
	case a.folder != "" || a.clusterID != "" || len(a.addresses) > 0:
		return nil
	case folder != "" && a.isClusterInEnv():
		return fmt.Errorf("%w: environment: PEERLEDGER_FOLDER is an embedded ledger, and TIGERBEETLE_* are a cluster: unset one of the two, or give --folder or --cluster-id and --addresses", errUsage)
	case folder != "" || a.isClusterInEnv():
		return nil
	case cfg.Folder != "" && (cfg.ClusterID != "" || len(cfg.Addresses) > 0):
		return fmt.Errorf("%w: %s: folder is an embedded ledger, and cluster_id and addresses are a cluster: keep one of the two", errUsage, cfg.fileName())
	default:
		return nil
	}
}

// selectFolder is the folder of the embedded ledger that is asked for, "" if none is: by flags, by
// the environment, by the file, in this order.
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

// openLedger opens the ledger that is asked for.
func (a *app) openLedger(ctx context.Context, cfg config) (ledger.Ledger, error) {
	if folder := a.selectFolder(cfg); folder != "" {
		return a.openFolder(folder)
	}
	clusterConfig, err := a.resolveCluster(cfg)
	if err != nil {
		return nil, err
	}
	return openCluster(ctx, clusterConfig)
}

// openFolder opens an embedded ledger. Opening would make one in a folder that has none: whoever
// reads has mistyped, or the disk of the folder is not mounted.
func (a *app) openFolder(folder string) (ledger.Ledger, error) {
	found, err := embedded.Exists(folder)
	switch {
	case err != nil && isFile(folder):
		return nil, fmt.Errorf("%w: %s is a file, and no folder with a ledger", errUsage, folder)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	case !found && !a.mayCreateLedger:
		return nil, fmt.Errorf("%w: no ledger to read: there is none in %s: \"peerledger peers provision --yes\" makes one", errUsage, folder)
	}
	if a.createdLedger = !found; a.createdLedger && !a.yes {
		return embedded.New(), nil // what the preview looks at
	}
	l, err := embedded.Open(folder)
	switch {
	case err == nil:
		a.warnOfClock(folder, l.Recovery().Ahead)
		return l, nil
	case errors.Is(err, fs.ErrNotExist): // what it is to be in is missing
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, embedded.ErrCorrupt), errors.Is(err, embedded.ErrIncompatible):
		return nil, fmt.Errorf("nothing was changed: %w", err)
	default:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
}

// describeNewLedger says that the ledger is a new one.
func (a *app) describeNewLedger() string {
	switch {
	case a.createdLedger && a.yes:
		return "The ledger is a new one: there was none in the folder."
	case a.createdLedger:
		return "There is no ledger in the folder yet: this makes it."
	default:
		return ""
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// checkAssets refuses a configuration whose assets are not those of the ledger: amounts are in
// whole units, and with another scale each of them is another amount.
func checkAssets(ctx context.Context, book *accounts.Book, cfg config) error {
	err := book.CheckAssets(ctx)
	var drift *accounts.DriftError
	if !errors.As(err, &drift) {
		return err
	}
	faults := []error{fmt.Errorf("%w: the assets in %s are not those of the ledger, so no amount can be trusted", errUsage, cfg.fileName())}
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

// describeDrift says how an asset differs. Its accounts all differ in the same way.
func describeDrift(d accounts.Drift) string {
	switch {
	case d.Field == "scale" && strings.HasPrefix(d.Kind, "another namespace"):
		return fmt.Sprintf("another namespace has it with the scale %s", d.Got)
	case d.Field == "scale":
		return fmt.Sprintf("its scale is %s in the ledger", d.Got)
	case d.Field == "ledger":
		return fmt.Sprintf("the ledger has it under the number %s", d.Got)
	case d.Field == "asset":
		return "the ledger has another asset under this number"
	default:
		return fmt.Sprintf("its %s account has other %s in the ledger: %s", d.Kind, d.Field, d.Got)
	}
}
