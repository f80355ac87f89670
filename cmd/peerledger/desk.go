package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// desk is an open ledger, with the books that the configuration describes.
type desk struct {
	*app
	cfg    config
	ledger ledger.Ledger
	book   *accounts.Book
}

// atDesk opens the ledger for a command, and closes it.
func (a *app) atDesk(ctx context.Context, work func(*desk) error) (err error) {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	if len(cfg.Assets) == 0 {
		_, err := cfg.asset("")
		return err
	}
	l, err := a.openLedger(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	book, err := accounts.NewBook(l, cfg.accounts())
	if err != nil {
		return err
	}
	return work(&desk{a, cfg, l, book})
}

// folderOf is the folder of the embedded ledger that is asked for, "" if none is.
func (a *app) folderOf(cfg config) string {
	switch {
	case a.folder != "":
		return a.folder
	case a.clusterID != "" || len(a.addresses) > 0:
		return ""
	case a.getenv("PEERLEDGER_FOLDER") != "":
		return a.getenv("PEERLEDGER_FOLDER")
	default:
		return cfg.Folder
	}
}

// openLedger opens the ledger that is asked for.
func (a *app) openLedger(ctx context.Context, cfg config) (ledger.Ledger, error) {
	if folder := a.folderOf(cfg); folder != "" {
		// Opening would make it; whoever reads has mistyped.
		if _, err := os.Stat(folder); err != nil && !a.create {
			return nil, fmt.Errorf("%w: no ledger to read: %w: \"peerledger peers provision --yes\" makes one", errUsage, err)
		}
		l, err := embedded.Open(folder)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		a.warnOfClock(folder, l.Recovery().Ahead)
		return l, nil
	}
	which, err := a.cluster(cfg)
	if err != nil {
		return nil, err
	}
	return openCluster(ctx, which)
}

// warnOfClock tells that a folder has timestamps of the future.
func (a *app) warnOfClock(folder string, ahead time.Duration) {
	if ahead >= time.Second {
		fmt.Fprintf(a.stderr, "peerledger: warning: the newest timestamp of %s is %v in this machine's future: its clock is behind, or was ahead when it was written. "+
			"Until it has caught up holds may last twice as long, and times are wrong (docs/operations.md, Clock).\n", folder, ahead.Round(time.Second))
	}
}

// account is the handle of a peer that the ledger may not know. The name may have the asset
// behind it, as in alice@USD.
func (d *desk) account(name, asset string) (accounts.Account, accounts.Asset, error) {
	if peer, code, ok := cutLast(name, "@"); ok {
		if found, err := d.cfg.asset(code); err == nil {
			account, err := d.book.Account(peer, found)
			return account, found, err
		}
	}
	found, err := d.cfg.asset(asset)
	if err != nil {
		return accounts.Account{}, found, err
	}
	account, err := d.book.Account(name, found)
	return account, found, err
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// accounts are the handles of the named peers, or of all peers that are configured. An
// asset that is given narrows them.
func (d *desk) accounts(names []string, asset string) ([]accounts.Account, error) {
	var list []accounts.Account
	for _, name := range names {
		account, _, err := d.account(name, asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	if len(names) > 0 {
		return list, nil
	}
	for _, p := range d.cfg.Peers {
		found, err := d.cfg.asset(p.Asset)
		if err != nil {
			return nil, err
		}
		if !goesBy(found, asset) {
			continue
		}
		account, err := d.book.Account(p.ID, found)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no peers are configured: list them under peers: in %s, or name them", errUsage, d.cfg.name())
	}
	return list, nil
}

// assets are those to be shown: the named one, or all.
func (d *desk) assets(name string) ([]accounts.Asset, error) {
	if name == "" {
		return d.book.Assets(), nil
	}
	asset, err := d.cfg.asset(name)
	return []accounts.Asset{asset}, err
}

// names are the peers that are configured in an asset.
func (d *desk) names(asset accounts.Asset) (names []string) {
	for _, p := range d.cfg.Peers {
		if found, err := d.cfg.asset(p.Asset); err == nil && found == asset {
			names = append(names, p.ID)
		}
	}
	slices.Sort(names)
	return names
}

// configured is the entry of a peer; false if there is none.
func (d *desk) configured(account accounts.Account) (peerConfig, bool) {
	for _, p := range d.cfg.Peers {
		if found, err := d.cfg.asset(p.Asset); err == nil && p.ID == account.Peer() && found.Ledger == account.Ledger() {
			return p, true
		}
	}
	return peerConfig{}, false
}

// completePeers completes the first argument with the peers of the configuration.
func (a *app) completePeers(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.readConfig()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range cfg.Peers {
		name := p.ID
		if len(cfg.Assets) > 1 && p.Asset != "" {
			name += "@" + p.Asset
		}
		names = append(names, name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
