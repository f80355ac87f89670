package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// desk is an open ledger, with the books that the configuration describes.
type desk struct {
	*app
	cfg     config
	ledger  ledger.Ledger
	book    *accounts.Book
	reached reached
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
	if err := checkAssets(ctx, book, cfg); err != nil {
		return err
	}
	return work(&desk{app: a, cfg: cfg, ledger: l, book: book})
}

// warnOfClock tells that a folder has timestamps of the future.
func (a *app) warnOfClock(folder string, ahead time.Duration) {
	if ahead >= time.Second {
		fmt.Fprintf(a.stderr, "peerledger: warning: the newest timestamp of %s is %v in this machine's future: its clock is behind, or was ahead when it was written. "+
			"Until it has caught up holds may last twice as long, and times are wrong (docs/operations.md, Clock).\n", folder, ahead.Round(time.Second))
	}
}

// account is the handle of a peer that the ledger may not know. The name may have the asset
// behind it, as in alice@USD, unless it is a peer's very name: that comes first.
func (d *desk) account(ctx context.Context, name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	peer, code, ok := cutLast(name, "@")
	behind := d.assetsOf(code)
	if !ok || len(behind) == 0 {
		return d.accountOf(ctx, name, asset)
	}
	var exact, both []accounts.Asset
	for _, a := range d.assetsOf(asset) {
		found, err := d.knows(ctx, name, a)
		if err != nil {
			return accounts.PeerAccount{}, a, err
		}
		if found {
			exact = append(exact, a)
		}
		if slices.Contains(behind, a) {
			both = append(both, a)
		}
	}
	switch {
	case len(exact) == 1:
		return d.accountIn(name, exact[0].String())
	case len(exact) > 1:
		return accounts.PeerAccount{}, exact[0], fmt.Errorf("%w: %q is the name of a peer in more than one asset; say which with --asset, as in %v", errUsage, name, exact[0])
	case len(both) == 1:
		return d.accountIn(peer, both[0].String())
	case len(both) > 1:
		return accounts.PeerAccount{}, both[0], fmt.Errorf("%w: %q is in more than one asset; say which, as in %s@%v", errUsage, name, peer, both[0])
	case len(d.assetsOf(asset)) == 0:
		return d.accountIn(name, asset) // says that there is no such asset
	default:
		return accounts.PeerAccount{}, behind[0], fmt.Errorf("%w: %s and --asset %s contradict each other (a peer with the very name %q would be listed under peers: in %s)",
			errUsage, name, asset, name, d.cfg.name())
	}
}

// accountOf is the handle of a peer whose name says nothing of its asset. Without an asset it is
// the only one, or the only one that the peer has.
func (d *desk) accountOf(ctx context.Context, name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	if asset != "" || len(d.cfg.Assets) == 1 {
		return d.accountIn(name, asset)
	}
	var its []string
	for _, a := range d.book.Assets() {
		found, err := d.knows(ctx, name, a)
		if err != nil {
			return accounts.PeerAccount{}, a, err
		}
		if found {
			its = append(its, a.String())
		}
	}
	switch len(its) {
	case 0:
		return d.accountIn(name, "") // says that the asset is missing
	case 1:
		return d.accountIn(name, its[0])
	default:
		return accounts.PeerAccount{}, accounts.Asset{}, fmt.Errorf("%w: %s has more than one account, so say which asset: %s", errUsage, name, strings.Join(its, ", "))
	}
}

// accountIn is the handle of a peer of this very name.
func (d *desk) accountIn(name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	found, err := d.cfg.asset(asset)
	if err != nil {
		return accounts.PeerAccount{}, found, err
	}
	account, err := d.book.PeerAccount(name, found)
	return account, found, err
}

// knows reports whether the configuration or the ledger has a peer of this very name.
func (d *desk) knows(ctx context.Context, name string, asset accounts.Asset) (bool, error) {
	if slices.Contains(d.names(asset), name) {
		return true, nil
	}
	missing, err := d.book.MissingPeers(ctx, asset, name)
	return err == nil && len(missing) == 0, err
}

// assetsOf are the assets that go by a name; all, if it is "".
func (d *desk) assetsOf(name string) (list []accounts.Asset) {
	for _, a := range d.book.Assets() {
		if goesBy(a, name) {
			list = append(list, a)
		}
	}
	return list
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
func (d *desk) accounts(ctx context.Context, names []string, asset string) ([]accounts.PeerAccount, error) {
	var list []accounts.PeerAccount
	for _, name := range names {
		account, _, err := d.account(ctx, name, asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	switch {
	case len(names) > 0:
		return list, nil
	case len(d.assetsOf(asset)) == 0:
		_, err := d.cfg.asset(asset)
		return nil, err
	}
	for _, p := range d.cfg.Peers {
		found, err := d.cfg.asset(p.Asset)
		if err != nil {
			return nil, err
		}
		if !goesBy(found, asset) {
			continue
		}
		account, err := d.book.PeerAccount(p.ID, found)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	if len(list) == 0 {
		in := ""
		if asset != "" {
			in = " in " + asset
		}
		return nil, fmt.Errorf("%w: no peers are configured%s: list them under peers: in %s, or name them", errUsage, in, d.cfg.name())
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
func (d *desk) configured(account accounts.PeerAccount) (peerConfig, bool) {
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
