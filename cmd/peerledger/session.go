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

// session is an open ledger with the book that the configuration describes.
type session struct {
	*app
	cfg     config
	ledger  ledger.Ledger
	book    *accounts.Book
	reached reachedLimits
}

// withSession opens the ledger, checks its assets, calls run, and closes the ledger.
func (a *app) withSession(ctx context.Context, run func(*session) error) (err error) {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	if len(cfg.Assets) == 0 {
		_, err := cfg.findAsset("")
		return err
	}
	if a.yes {
		if err := a.checkOperatorJournal(cfg); err != nil {
			return err
		}
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

// warnOfClock warns if the newest timestamp in a folder is 1 s or more in the future.
func (a *app) warnOfClock(folder string, ahead time.Duration) {
	if ahead >= time.Second {
		fmt.Fprintf(a.stderr, "peerledger: warning: the newest timestamp of %s is %v in this machine's future: this clock is behind, or the clock was ahead when the row was written. "+
			"Until the clock has caught up, holds may last twice as long, and times are wrong (docs/operations.md, Clock).\n", folder, ahead.Round(time.Second))
	}
}

// parseAccount returns the account of a peer, which need not be in the ledger. A name may end with
// an asset, as in alice@USD. If a peer has that whole string as its id, the id takes precedence.
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
		return s.makeAccount(name, asset) // the error: there is no such asset
	default:
		return accounts.PeerAccount{}, suffixAssets[0], fmt.Errorf("%w: %s and --asset %s contradict each other (if %q is a peer's id, list it under peers: in %s)",
			errUsage, name, asset, name, s.cfg.fileName())
	}
}

// findAccount returns the account of a peer whose name has no asset. Without the flag --asset the
// asset is the only configured one, or the only one in which the peer has an account.
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
		return s.makeAccount(name, "") // the error: the asset is missing
	case 1:
		return s.makeAccount(name, found[0])
	default:
		return accounts.PeerAccount{}, accounts.Asset{}, fmt.Errorf("%w: %s has more than one account, so say which asset: %s", errUsage, name, strings.Join(found, ", "))
	}
}

// makeAccount returns the account of the peer with exactly this id.
func (s *session) makeAccount(name, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	found, err := s.cfg.findAsset(asset)
	if err != nil {
		return accounts.PeerAccount{}, found, err
	}
	account, err := s.book.PeerAccount(name, found)
	return account, found, err
}

// isKnownPeer reports whether the configuration or the ledger has a peer with exactly this id.
func (s *session) isKnownPeer(ctx context.Context, name string, asset accounts.Asset) (bool, error) {
	if slices.Contains(s.listConfigured(asset), name) {
		return true, nil
	}
	missing, err := s.book.MissingPeers(ctx, asset, name)
	return err == nil && len(missing) == 0, err
}

// matchAssets returns the assets that a name matches; "" matches all.
func (s *session) matchAssets(name string) (list []accounts.Asset) {
	for _, a := range s.book.Assets() {
		if matchesAsset(a, name) {
			list = append(list, a)
		}
	}
	return list
}

// cutLast cuts text at the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// parseAccounts returns the accounts of the named peers, or of all configured peers if names is
// empty. A non-empty asset restricts the result.
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

// selectAssets returns the named asset, or all assets if the name is "".
func (s *session) selectAssets(name string) ([]accounts.Asset, error) {
	if name == "" {
		return s.book.Assets(), nil
	}
	asset, err := s.cfg.findAsset(name)
	return []accounts.Asset{asset}, err
}

// listConfigured returns the sorted ids of the peers that are configured in an asset.
func (s *session) listConfigured(asset accounts.Asset) (names []string) {
	for _, p := range s.cfg.Peers {
		if found, err := s.cfg.findAsset(p.Asset); err == nil && found == asset {
			names = append(names, p.ID)
		}
	}
	slices.Sort(names)
	return names
}

// findConfigured returns a peer's entry in the configuration; false if there is none.
func (s *session) findConfigured(account accounts.PeerAccount) (peerConfig, bool) {
	for _, p := range s.cfg.Peers {
		if found, err := s.cfg.findAsset(p.Asset); err == nil && p.ID == account.Peer() && found.Ledger == account.Ledger() {
			return p, true
		}
	}
	return peerConfig{}, false
}

// findEntry returns the entry of a peer in an asset; without one, an entry without engine.
func (s *session) findEntry(key peerAsset) peerConfig {
	for _, p := range s.cfg.Peers {
		if asset, err := s.cfg.findAsset(p.Asset); err == nil && p.ID == key.Peer && asset == key.Asset {
			return p
		}
	}
	return peerConfig{ID: key.Peer}
}

// completePeers completes the first argument with the configured peers.
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
