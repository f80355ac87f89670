package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// firstConfiguration is the file that config init writes: two peers on an embedded ledger.
const firstConfiguration = `# The ledger: an embedded one in a folder, or a TigerBeetle cluster.
folder: ledger
# cluster_id: "7"
# addresses: [tb0:3001, tb1:3001, tb2:3001]

# The same as accounts.Config.Namespace of the connectors: it is part of every account's id.
namespace: example

# An asset with the scale 2 counts in hundredths. Its ledger number is its own, and never changes.
assets:
  - {code: USD, scale: 2, ledger: 1}

# Amounts are in whole units. credit_line is how much the peer may owe us; settle_at is what we owe it
# before we pay, down to settle_to.
peers:
  - {id: alice, asset: USD, credit_line: "100", settle_at: "20", settle_to: "5"}
  - {id: bob, asset: USD, settle_at: "20"}

# Names for --reason.
reasons: {correction: 1, capital: 2, refund: 3}
`

// initializedConfig is the JSON output of config init.
type initializedConfig struct {
	File string `json:"file"`
}

func (a *app) newConfigInitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [file]", Short: "Write a first configuration file",
		Long: `Write a configuration with two peers on an embedded ledger into a new file (default
peerledger.yaml). Change it, look at it with "peerledger config check", and create the ledger with
"peerledger peers provision --yes". An existing file is left alone.`,
		Example: "  peerledger config init\n  peerledger config init /etc/peerledger.yaml",
		Args:    rangeArgs(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := defaultFile
			if len(args) == 1 {
				file = args[0]
			}
			return a.initConfig(file)
		},
	}
}

// initConfig writes the first configuration into a new file.
func (a *app) initConfig(file string) error {
	created, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%w: %s exists, and is left alone: look at it with peerledger config check", errUsage, file)
	case err != nil:
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if _, err := created.WriteString(firstConfiguration); err != nil {
		return errors.Join(err, created.Close())
	}
	if err := created.Close(); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(initializedConfig{file})
	}
	_, err = fmt.Fprintf(a.stdout, "Written: %s, with two peers on an embedded ledger. Change it, and create the ledger with peerledger peers provision --yes.\n", file)
	return err
}
