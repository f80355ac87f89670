package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// engineAddition is the output of "engines add".
type engineAddition struct {
	Engine   string   `json:"engine"`
	URL      string   `json:"url"`
	Entry    string   `json:"entry"`    // the line for engines: in the configuration
	Accounts []string `json:"accounts"` // at the engine; created if written
	File     string   `json:"file"`
	Written  bool     `json:"written"`
}

func (a *app) newAddEngineCommand() *cobra.Command {
	var e engineConfig
	var scale int
	cmd := &cobra.Command{
		Use:   "add name url",
		Short: "Create the peers' accounts at an engine, and list the engine in the configuration",
		Long: `Create an account at this settlement engine for each configured peer in these assets, and add the
engine to the configuration file. An account that exists stays as it is. If the engine does not
take an account, the file is not changed. Without --yes nothing is sent, and the entry for the
file is printed.

The engine must know the ids of the accounts that it reports payments for: they are printed. Give
a peer the id of an existing account with engine_account in its entry.`,
		Example: "  peerledger engine add bank http://127.0.0.1:3000 --asset USD --token-file bank.token --yes",
		Args:    exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.Name, e.URL = args[0], args[1]
			if cmd.Flags().Changed("scale") {
				if scale < 0 || scale > 255 {
					return fmt.Errorf("%w: --scale: %d is not from 0 to 255", errUsage, scale)
				}
				e.Scale = new(uint8(scale))
			}
			return a.addEngine(cmd.Context(), e)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&e.Assets, "asset", nil, "the engine pays the peers in this `asset`, as in USD or USD/9; may be repeated")
	flags.StringVar(&e.Token.File, "token-file", "", "the `file` with the bearer token for the engine")
	flags.StringVar(&e.Token.Env, "token-env", "", "the `variable` of the environment with the bearer token")
	flags.StringVar(&e.CAFile, "ca-file", "", "the `file` with the authorities of the engine's certificate, in PEM")
	flags.IntVar(&scale, "scale", 0, "the `scale` of the engine's smallest amounts (default the asset's)")
	flags.DurationVar(&e.Timeout, "engine-timeout", 0, "`time` to wait for an answer of the engine (default 30s)")
	flags.StringVar(&e.KeyLifetime, "key-lifetime", "", "how `long` the engine surely remembers a key: a duration, or forever (default 23h)")
	a.addYesFlag(cmd)
	return cmd
}

func (a *app) addEngine(ctx context.Context, e engineConfig) error {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	with := cfg
	with.Engines = append(cfg.Engines[:len(cfg.Engines):len(cfg.Engines)], e)
	if err := with.validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	list, ids, err := a.openEngines(with, rfc0038.SettlerEvents{})
	if err != nil {
		return err
	}
	defer closeEngines(list)
	added := list[len(list)-1]
	wires, err := listWireIDs(with, added, ids)
	if err != nil {
		return err
	}
	result := engineAddition{Engine: e.Name, URL: e.URL, Entry: e.formatEntry(), Accounts: wires, File: cfg.fileName()}
	if !a.yes {
		return a.showAddition(result)
	}
	c := change{Action: "add an engine", detail: "engine " + e.Name + ", " + e.URL}
	err = a.recordAct(&c, func(*change) error {
		if err := createAccounts(ctx, added, wires); err != nil {
			return fmt.Errorf("%s was not changed: %w", cfg.fileName(), err)
		}
		if err := addEngineToFile(cfg, e); err != nil {
			return fmt.Errorf("the engine has the accounts, and could not be listed in %s: %w\nAdd under engines:\n  - %s", cfg.fileName(), err, result.Entry)
		}
		return nil
	})
	switch {
	case errors.Is(err, ledger.ErrOutcomeUnknown):
		return &unknownError{err, "Repeat the command when the engine answers: an account that exists stays as it is."}
	case err != nil:
		return err
	}
	result.Written = true
	return a.showAddition(result)
}

// listWireIDs returns the ids at the engine of the peers that it pays.
func listWireIDs(cfg config, e *openEngine, ids *rfc0038.AccountIDs) ([]string, error) {
	list, err := cfg.listAccountsOf(e)
	wires := make([]string, 0, len(list))
	for _, account := range list {
		wire, idErr := ids.WireID(account)
		wires, err = append(wires, wire), errors.Join(err, idErr)
	}
	return wires, err
}

// createAccounts creates accounts at an engine. Without any it asks whether the engine answers.
func createAccounts(ctx context.Context, e *openEngine, wires []string) error {
	for _, wire := range wires {
		if err := e.client.CreateAccount(ctx, wire); err != nil {
			return fmt.Errorf("create account %s: %w", wire, err)
		}
	}
	if len(wires) > 0 {
		return nil
	}
	_, err := e.client.Reach(ctx)
	return err
}

// addEngineToFile adds a line to the configuration file, if the result parses to the same configuration
// plus the engine.
func addEngineToFile(cfg config, e engineConfig) error {
	return changeFile(cfg, func(content []byte) ([]byte, error) {
		before, err := parseConfig(content)
		if err != nil {
			return nil, err
		}
		changed, err := insertLine(content, "engines", e.formatEntry())
		if err != nil {
			return nil, err
		}
		after, err := parseConfig(changed)
		if err != nil {
			return nil, err
		}
		if before.Engines = append(before.Engines, e); !reflect.DeepEqual(before, after) {
			return nil, &noListError{"engines", "engine"}
		}
		return changed, nil
	})
}

// formatEntry returns the engine as a line of the file.
func (e engineConfig) formatEntry() string {
	fields := []string{fmt.Sprintf("name: %q", e.Name), fmt.Sprintf("url: %q", e.URL)}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, name+": "+value)
		}
	}
	if len(e.Assets) > 0 {
		quoted := make([]string, len(e.Assets))
		for i, name := range e.Assets {
			quoted[i] = strconv.Quote(name)
		}
		add("assets", "["+strings.Join(quoted, ", ")+"]")
	}
	switch {
	case e.Token.File != "":
		add("token", fmt.Sprintf("{file: %q}", e.Token.File))
	case e.Token.Env != "":
		add("token", fmt.Sprintf("{env: %q}", e.Token.Env))
	}
	if e.CAFile != "" {
		add("ca_file", strconv.Quote(e.CAFile))
	}
	if e.Scale != nil {
		add("scale", strconv.Itoa(int(*e.Scale)))
	}
	if e.Timeout != 0 {
		add("timeout", e.Timeout.String())
	}
	if e.KeyLifetime != "" {
		add("key_lifetime", strconv.Quote(e.KeyLifetime))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

func (a *app) showAddition(r engineAddition) error {
	if a.json {
		return a.printJSON(r)
	}
	state, listed := "Would create", "would be"
	if r.Written {
		state, listed = "Done: created", "is now"
	}
	_, err := fmt.Fprintf(a.stdout, "%s these accounts at engine %s, %s: %s.\nThe engine %s listed in %s, under engines:\n  - %s\n",
		state, r.Engine, r.URL, orDefault(strings.Join(r.Accounts, ", "), "none, since no peers are configured in its assets"), listed, r.File, r.Entry)
	if err == nil && !r.Written {
		_, err = fmt.Fprintln(a.stdout, "Nothing was sent or written. Add --yes to do it.")
	}
	return err
}
