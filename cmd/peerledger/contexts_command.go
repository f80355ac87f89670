package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// contextRow is a context, and the ledger of its configuration file.
type contextRow struct {
	Context string `json:"context,omitempty"` // "" if no context is in use
	Current bool   `json:"current"`
	File    string `json:"file"`
	Ledger  string `json:"ledger,omitempty"`
	Error   string `json:"error,omitempty"` // why a command with the context would be refused
}

func (a *app) newContextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Choose among several ledgers by name",
		Long: `A context is a name for a configuration file. The contexts of a user are in
$XDG_CONFIG_HOME/peerledger/contexts.yaml (default $HOME/.config/peerledger/contexts.yaml):

` + exampleContexts + `

--context NAME uses a context for one command. "peerledger context use NAME" makes it the current
one, for all commands without --context, --config and PEERLEDGER_CONFIG. Previews of writes and
errors then say which ledger is meant. The folder of an embedded ledger must be a whole path in the
configuration of a context. Commands are refused (status 2) if a context and the environment name a
ledger, or if the working directory has a peerledger.yaml beside the current context.`,
		Example: "  peerledger context list\n  peerledger context use live\n  peerledger --context test balances",
		Args:    requireSubcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newContextListCommand(), a.newContextUseCommand(), a.newContextShowCommand())
	return cmd
}

func (a *app) newContextListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the contexts",
		Long:    "List the contexts, each with its configuration file and its ledger, or with the error that a command\nwith the context would end with.",
		Example: "  peerledger context list\n  peerledger context list -o name",
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			contexts, err := a.readContexts()
			if err != nil {
				return err
			}
			rows := []contextRow{}
			for _, name := range slices.Sorted(maps.Keys(contexts.Contexts)) {
				rows = append(rows, a.describeContext(name, name == contexts.Current))
			}
			a.list.whenEmpty = "There are no contexts (peerledger context --help)."
			return printRows(a, rows, contextColumns...)
		},
	}
	a.addListFlags(cmd)
	return cmd
}

var contextColumns = []column[contextRow]{
	{title: "context", cell: func(r contextRow) string { return r.Context }},
	{title: "current", cell: func(r contextRow) string { return formatFlag(r.Current) }},
	{title: "file", cell: func(r contextRow) string { return r.File }},
	{title: "ledger", cell: func(r contextRow) string { return r.Ledger }},
	{title: "error", cell: func(r contextRow) string { return r.Error }},
}

func (a *app) newContextUseCommand() *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use: "use {name | --none}", Short: "Make a context the current one",
		Long:    "Write the current context into the user's file of contexts. The change concerns all shells of the\nuser; it writes to no ledger. With --none, no context is current.",
		Example: "  peerledger context use live\n  peerledger context use --none",
		Args:    rangeArgs(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if none == (len(args) == 1) {
				return fmt.Errorf("%w: name a context, or give --none", errUsage)
			}
			if none {
				return a.useContext("")
			}
			return a.useContext(args[0])
		},
		ValidArgsFunction: completeFirst(a.completeContexts),
	}
	cmd.Flags().BoolVar(&none, "none", false, "no context is current any more")
	return cmd
}

func (a *app) newContextShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show which configuration and ledger a command would use",
		Long:    "Show the context, the configuration file and the ledger that a command with the same flags and\nenvironment would use. The ledger is not opened.",
		Example: "  peerledger context show\n  peerledger context show --context live --json",
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			contexts, err := a.readContexts()
			if err != nil {
				return err
			}
			return a.showContext(contextRow{Context: cfg.context, Current: cfg.context != "" && cfg.context == contexts.Current, File: cfg.file, Ledger: a.describeTarget(cfg)})
		},
	}
}

// describeContext returns the row of a context.
func (a *app) describeContext(name string, isCurrent bool) contextRow {
	row := contextRow{Context: name, Current: isCurrent}
	chosen, err := a.chooseContext(name)
	if row.File = chosen.file; err == nil {
		var cfg config
		if cfg, err = a.readChosen(chosen); err == nil {
			if row.Ledger = a.describeTarget(cfg); row.Ledger == "" {
				err = errNoLedger
			}
		}
	}
	if err != nil {
		row.Error = formatError(err)
	}
	return row
}

// showContext prints the context in use.
func (a *app) showContext(row contextRow) error {
	if a.json {
		return a.printJSON(row)
	}
	_, err := fmt.Fprintf(a.stdout, "context: %s\nconfiguration: %s\nledger: %s\n", orDefault(row.Context, "none"), orDefault(row.File, "none"), orDefault(row.Ledger, "none is named"))
	return err
}

// useContext makes a context the current one, and shows it; "" is none.
func (a *app) useContext(name string) error {
	contexts, err := a.readContexts()
	if err != nil {
		return err
	}
	row := contextRow{Current: name != ""}
	if name != "" {
		if _, err := contexts.findContext(name); err != nil {
			return err
		}
		row = a.describeContext(name, true)
	}
	if contexts.Current != name {
		if err := writeCurrent(contexts.path, name); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(row)
	}
	if name == "" {
		_, err = fmt.Fprintln(a.stdout, "No context is current.")
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "The current context is %s: %s, %s.\n", name, row.File, orDefault(row.Ledger, "without a ledger: "+row.Error))
	return err
}

// writeCurrent writes the name of the current context into the file of contexts. Comments and the other
// entries stay.
func writeCurrent(path, name string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return err
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return errors.New("the file of contexts is empty")
	}
	root := document.Content[0]
	value := &yaml.Node{Kind: yaml.ScalarNode, Value: name, Style: yaml.DoubleQuotedStyle}
	found := false
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "current" {
			root.Content[i+1], found = value, true
		}
	}
	if !found {
		root.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Value: "current"}, value}, root.Content...)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(&document)
	if err != nil {
		return err
	}
	return replaceFile(path, text, info.Mode().Perm())
}
