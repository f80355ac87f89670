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

// session is an open ledger, with the books that the configuration describes.
type session struct {
	*app
	cfg     config
	ledger  ledger.Ledger
	book    *accounts.Book
	reached reachedLimits
}

// withSession opens the ledger for a command, and closes it.
func (a *app) withSession(ctx context.Context, run func(*session) error) (err error) {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	if len(cfg.Assets) == 0 {
		_, err := cfg.findAsset("")
		return err
	}
	l, err := a.openLedger(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	book, err := accounts.NewBook(l, cfg.toBookConfig())
	if err != nil {
		return err
	}
	if err := checkAssets(ctx, book, cfg); err != nil {
		return err
	}
	return run(&session{app: a, cfg: cfg, ledger: l, book: book})
}

// warnOfClock tells that a folder has timestamps of the future.
func (a *app) warnOfClock(folder string, ahead time.Duration) {
	if ahead >= time.Second {
		fmt.Fprintf(a.stderr, "peerledger: warning: the newest timestamp of %s is %v in this machine's future: its clock is behind, or was ahead when it was written. "+
			"Until it has caught up holds may last twice as long, and times are wrong (docs/operations.md, Clock).\n", folder, ahead.Round(time.Second))
	}
}

// parseAccount is the handle of a peer that the ledger may not know. The name may have the asset
// behind it, as in alice@USD, unless it is a peer's very name: that comes first.
func (s *session) parseAccount(ctx context.Context, name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	peer, code, ok := cutLast(name, "@")
	suffixAssets := s.matchAssets(code)
	if !ok || len(suffixAssets) == 0 {
		return s.findAccount(ctx, name, asset)
	}
	var exactMatches, suffixMatches []accounts.Asset
	for _, a := range s.matchAssets(asset) {
		found, err := s.isKnownPeer(ctx, name, a)
		if err != nil {
			return accounts.PeerAccount{}, a, err
		}
		if found {
			exactMatches = append(exactMatches, a)
		}
		if slices.Contains(suffixAssets, a) {
			suffixMatches = append(suffixMatches, a)
		}
	}
	switch {
	case len(exactMatches) == 1:
		return s.makeAccount(name, exactMatches[0].String())
	case len(exactMatches) > 1:
		return accounts.PeerAccount{}, exactMatches[0], fmt.Errorf("%w: %q is the name of a peer in more than one asset; say which with --asset, as in %v", errUsage, name, exactMatches[0])
	case len(suffixMatches) == 1:
		return s.makeAccount(peer, suffixMatches[0].String())
	case len(suffixMatches) > 1:
		return accounts.PeerAccount{}, suffixMatches[0], fmt.Errorf("%w: %q is in more than one asset; say which, as in %s@%v", errUsage, name, peer, suffixMatches[0])
	case len(s.matchAssets(asset)) == 0:
		return s.makeAccount(name, asset) // says that there is no such asset
	default:
		return accounts.PeerAccount{}, suffixAssets[0], fmt.Errorf("%w: %s and --asset %s contradict each other (a peer with the very name %q would be listed under peers: in %s)",
			errUsage, name, asset, name, s.cfg.fileName())
	}
}

// findAccount is the handle of a peer whose name says nothing of its asset. Without an asset it is
// the only one, or the only one that the peer has.
func (s *session) findAccount(ctx context.Context, name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	if asset != "" || len(s.cfg.Assets) == 1 {
		return s.makeAccount(name, asset)
	}
	var found []string
	for _, a := range s.book.Assets() {
		known, err := s.isKnownPeer(ctx, name, a)
		if err != nil {
			return accounts.PeerAccount{}, a, err
		}
		if known {
			found = append(found, a.String())
		}
	}
	switch len(found) {
	case 0:
		return s.makeAccount(name, "") // says that the asset is missing
	case 1:
		return s.makeAccount(name, found[0])
	default:
		return accounts.PeerAccount{}, accounts.Asset{}, fmt.Errorf("%w: %s has more than one account, so say which asset: %s", errUsage, name, strings.Join(found, ", "))
	}
}

// makeAccount is the handle of a peer of this very name.
func (s *session) makeAccount(name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	found, err := s.cfg.findAsset(asset)
	if err != nil {
		return accounts.PeerAccount{}, found, err
	}
	account, err := s.book.PeerAccount(name, found)
	return account, found, err
}

// isKnownPeer reports whether the configuration or the ledger has a peer of this very name.
func (s *session) isKnownPeer(ctx context.Context, name string, asset accounts.Asset) (bool, error) {
	if slices.Contains(s.listConfigured(asset), name) {
		return true, nil
	}
	missing, err := s.book.MissingPeers(ctx, asset, name)
	return err == nil && len(missing) == 0, err
}

// matchAssets are the assets that go by a name; all, if it is "".
func (s *session) matchAssets(name string) (list []accounts.Asset) {
	for _, a := range s.book.Assets() {
		if matchesAsset(a, name) {
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

// parseAccounts are the handles of the named peers, or of all peers that are configured. An
// asset that is given narrows them.
func (s *session) parseAccounts(ctx context.Context, names []string, asset string) ([]accounts.PeerAccount, error) {
	var list []accounts.PeerAccount
	for _, name := range names {
		account, _, err := s.parseAccount(ctx, name, asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	switch {
	case len(names) > 0:
		return list, nil
	case len(s.matchAssets(asset)) == 0:
		_, err := s.cfg.findAsset(asset)
		return nil, err
	}
	for _, p := range s.cfg.Peers {
		found, err := s.cfg.findAsset(p.Asset)
		if err != nil {
			return nil, err
		}
		if !matchesAsset(found, asset) {
			continue
		}
		account, err := s.book.PeerAccount(p.ID, found)
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
		return nil, fmt.Errorf("%w: no peers are configured%s: list them under peers: in %s, or name them", errUsage, in, s.cfg.fileName())
	}
	return list, nil
}

// selectAssets are those to be shown: the named one, or all.
func (s *session) selectAssets(name string) ([]accounts.Asset, error) {
	if name == "" {
		return s.book.Assets(), nil
	}
	asset, err := s.cfg.findAsset(name)
	return []accounts.Asset{asset}, err
}

// listConfigured are the peers that are configured in an asset.
func (s *session) listConfigured(asset accounts.Asset) (names []string) {
	for _, p := range s.cfg.Peers {
		if found, err := s.cfg.findAsset(p.Asset); err == nil && found == asset {
			names = append(names, p.ID)
		}
	}
	slices.Sort(names)
	return names
}

// findConfigured is the entry of a peer; false if there is none.
func (s *session) findConfigured(account accounts.PeerAccount) (peerConfig, bool) {
	for _, p := range s.cfg.Peers {
		if found, err := s.cfg.findAsset(p.Asset); err == nil && p.ID == account.Peer() && found.Ledger == account.Ledger() {
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
