package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

// completionTimeout bounds the time in which a shell completes an order: an operator waits at the keyboard.
const completionTimeout = 2 * time.Second

// enableCompletion lets shells complete peers, orders, rails, assets, reasons, contexts and words of flags, for
// all commands that take them.
func (a *app) enableCompletion(cmd *cobra.Command) {
	switch {
	case strings.Contains(cmd.Use, " peer order"):
		cmd.ValidArgsFunction = a.completePeerAndOrder
	case strings.Contains(cmd.Use, " peer"), strings.Contains(cmd.Use, " [peer"):
		cmd.ValidArgsFunction = a.completePeers
	case strings.Contains(cmd.Use, " rail"):
		cmd.ValidArgsFunction = completeFirst(a.completeRails)
	}
	completeChoices(cmd)
	for flag, complete := range map[string]cobra.CompletionFunc{"asset": a.completeAssets, "reason": a.completeReasons, "context": a.completeContexts} {
		if cmd.LocalFlags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, complete) // an inherited flag has one already
		}
	}
	for _, child := range cmd.Commands() {
		a.enableCompletion(child)
	}
}

// completeFirst completes the first argument alone.
func completeFirst(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// completePeers completes arguments with the configured peers: the first one, or for commands of several
// peers each.
func (a *app) completePeers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.readConfig()
	if err != nil || len(args) > 0 && !strings.Contains(cmd.Use, "peer...") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range cfg.Peers {
		name := p.ID
		if len(cfg.Assets) > 1 && p.Asset != "" {
			name += "@" + p.Asset
		}
		if !slices.Contains(args, name) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completePeerAndOrder completes a peer, and then one of the peer's open orders.
func (a *app) completePeerAndOrder(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completePeers(cmd, args, typed)
	}
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	asset := ""
	if flag := cmd.Flag("asset"); flag != nil {
		asset = flag.Value.String()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completionTimeout)
	defer cancel()
	a.timeout = min(a.timeout, completionTimeout)
	var ids []string
	err := a.withEngine(ctx, nil, func(s *session, engine *settlement.Engine) error {
		account, _, err := s.parseAccount(ctx, args[0], asset)
		if err != nil {
			return err
		}
		orders, err := engine.Orders(ctx, account)
		for _, o := range orders {
			ids = append(ids, o.ID.String()+"\t"+o.Asset.Text(o.Amount))
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// completeRails completes the names of the configured engines, which are rails.
func (a *app) completeRails(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	cfg, err := a.readConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, e := range cfg.Engines {
		names = append(names, e.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeAssets completes the codes of the configured assets. Two assets of one code have their scales.
func (a *app) completeAssets(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	cfg, err := a.readConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, asset := range cfg.toBookConfig().Assets {
		if _, err := cfg.findAsset(asset.Code); err == nil {
			names = append(names, asset.Code)
		} else {
			names = append(names, asset.String())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeReasons completes the names of reasons.
func (a *app) completeReasons(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.readConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(cfg.Reasons)), cobra.ShellCompDirectiveNoFileComp
}

// completeContexts completes the names of contexts.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	file, err := a.readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(file.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
