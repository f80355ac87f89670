package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// effectiveConfig is what a command would use. It is also the JSON output of config check.
type effectiveConfig struct {
	File      string            `json:"file,omitempty"`   // "" if there is none
	Folder    string            `json:"folder,omitempty"` // of an embedded ledger; else of a cluster:
	ClusterID string            `json:"cluster_id,omitempty"`
	Addresses []string          `json:"addresses,omitempty"`
	Namespace string            `json:"namespace"`
	Assets    []effectiveAsset  `json:"assets"`
	Engines   []string          `json:"engines"`
	Banks     []string          `json:"bank_accounts"`
	Reasons   map[string]uint32 `json:"reasons"`
	Journal   string            `json:"operator_journal"` // a file, or "none"
}

// effectiveAsset is an asset, with the numbers of configured peers in it.
type effectiveAsset struct {
	Asset   string `json:"asset"`
	Ledger  uint32 `json:"ledger"`
	Peers   int    `json:"peers"`
	Settled int    `json:"settled"` // with settle_at
}

func (a *app) newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check the configuration file, or write a first one", Args: requireSubcommand,
		Long: "The configuration file is peerledger.yaml in the working directory, or the file of --config or\n$PEERLEDGER_CONFIG.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "Read the configuration file, and show its errors or what a command would use",
		Long: `Read the configuration file without opening the ledger. Show each error with its line and its
field, or without an error what a command with the same flags and environment would use: the
ledger, the namespace, the assets, the engines, the bank accounts, the reasons and the operator's
journal. The exit status is 2 if there is an error, or if no ledger is named. Whether the assets are
those of the ledger, each command checks that opens the ledger.`,
		Example: "  peerledger config check\n  peerledger config check --config /etc/peerledger.yaml --json",
		Args:    exactArgs(0),
		RunE:    func(*cobra.Command, []string) error { return a.checkConfig() },
	})
	cmd.AddCommand(a.newConfigInitCommand())
	return cmd
}

// checkConfig prints the faults of the configuration, or what it comes to.
func (a *app) checkConfig() error {
	cfg, err := a.readConfig()
	chosen, _ := a.chooseConfig() // its error is readConfig's
	file := orDefault(cfg.file, orDefault(chosen.file, defaultFile))
	if err == nil && len(cfg.Assets) == 0 {
		_, err = cfg.findAsset("")
	}
	var used effectiveConfig
	if err == nil {
		used, err = a.resolveConfig(cfg)
	}
	if err == nil {
		return a.showConfig(used)
	}
	if inFile, ok := errors.AsType[*fileError](err); ok {
		err = inFile.err // each fault has the name of the file
	}
	content, _ := os.ReadFile(file) // without a file, err says why
	faults := placeFaults(file, content, err)
	for _, fault := range faults {
		if err := a.showFault(fault); err != nil {
			return err
		}
	}
	return &faultsError{len(faults)}
}

// faultsError is returned when config check has printed faults. It matches [errUsage].
type faultsError struct{ count int }

func (e *faultsError) Error() string        { return formatCount(e.count, "error") + " in the configuration" }
func (e *faultsError) Is(target error) bool { return target == errUsage }

// resolveConfig returns what a command would use.
func (a *app) resolveConfig(cfg config) (effectiveConfig, error) {
	used := effectiveConfig{File: cfg.file, Folder: a.selectFolder(cfg), Namespace: cfg.Namespace, Assets: []effectiveAsset{}, Engines: []string{}, Banks: []string{}, Reasons: cfg.Reasons, Journal: orDefault(cfg.operatorJournal(), noOperatorJournal)}
	if used.Folder == "" {
		cluster, err := a.resolveCluster(cfg)
		if err != nil {
			return used, err
		}
		used.ClusterID, used.Addresses = cluster.ClusterID.String(), cluster.Addresses
	}
	for _, asset := range cfg.toBookConfig().Assets {
		row := effectiveAsset{Asset: asset.String(), Ledger: asset.Ledger}
		for _, p := range cfg.Peers {
			if found, err := cfg.findAsset(p.Asset); err == nil && found == asset {
				row.Peers++
				if p.SettleAt != "" {
					row.Settled++
				}
			}
		}
		used.Assets = append(used.Assets, row)
	}
	for _, e := range cfg.Engines {
		used.Engines = append(used.Engines, e.Name)
	}
	for _, b := range cfg.BankAccounts {
		used.Banks = append(used.Banks, b.Name)
	}
	if used.Reasons == nil {
		used.Reasons = map[string]uint32{}
	}
	return used, nil
}

// showConfig prints what a command would use.
func (a *app) showConfig(c effectiveConfig) error {
	if a.json {
		return a.printJSON(c)
	}
	ledger := "the folder " + c.Folder
	if c.Folder == "" {
		ledger = fmt.Sprintf("cluster %s at %s", c.ClusterID, strings.Join(c.Addresses, ", "))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s has no error. A command would use:\n  ledger: %s\n  namespace: %q\n", c.File, ledger, c.Namespace)
	for _, asset := range c.Assets {
		fmt.Fprintf(&text, "  asset: %s, number %d in the ledger, %s, %d of them with settle_at\n", asset.Asset, asset.Ledger, formatCount(asset.Peers, "peer"), asset.Settled)
	}
	for _, engine := range c.Engines {
		fmt.Fprintf(&text, "  engine: %s\n", engine)
	}
	for _, bank := range c.Banks {
		fmt.Fprintf(&text, "  bank account: %s\n", bank)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Reasons)) {
		fmt.Fprintf(&text, "  reason: %s is %d\n", name, c.Reasons[name])
	}
	fmt.Fprintf(&text, "  operator's journal: %s\n", c.Journal)
	_, err := fmt.Fprint(a.stdout, text.String())
	return err
}

// showFault prints a fault as compilers do.
func (a *app) showFault(f placedFault) error {
	if a.json {
		return a.printJSON(f)
	}
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s\n", place, f.Error)
	return err
}
