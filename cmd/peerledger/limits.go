package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// limitConfig bounds what settle now and settle refund pay. Amounts are in whole units; "" is no
// limit.
type limitConfig struct {
	Order        string `yaml:"order"`         // the largest order
	Day          string `yaml:"day"`           // the most in 24 hours
	ApproveAbove string `yaml:"approve_above"` // the largest order that is paid without settle approve
}

// limit is the limit in units of the asset.
func (c limitConfig) limit(asset accounts.Asset) (l settlement.PayoutLimit, err error) {
	var errs []error
	for _, f := range []struct {
		name, text string
		into       *ledger.Amount
	}{{"order", c.Order, &l.Order}, {"day", c.Day, &l.Day}, {"approve_above", c.ApproveAbove, &l.ApproveAbove}} {
		if f.text == "" {
			continue
		}
		if *f.into, err = asset.Parse(f.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
		} else if f.into.IsZero() {
			errs = append(errs, fmt.Errorf("%s: must be above 0; leave it out for no limit, and stop payments with peerledger settle stop", f.name))
		}
	}
	if len(errs) == 0 && !l.Day.IsZero() && l.Day.Less(l.Order) {
		errs = append(errs, fmt.Errorf("order, %s, must be at most day, %s", asset.Format(l.Order), asset.Format(l.Day)))
	}
	return l, errors.Join(errs...)
}

// limits are those of the configuration: of each peer, and of all payments in an asset.
type limits struct {
	peers  accounts.Rules[settlement.PayoutLimit]
	assets map[accounts.Asset]settlement.PayoutLimit
}

func (c config) limits() (limits, error) {
	all := limits{assets: map[accounts.Asset]settlement.PayoutLimit{}}
	all.peers.Asset, all.peers.PeerAsset = map[accounts.Asset]settlement.PayoutLimit{}, map[peerAsset]settlement.PayoutLimit{}
	var errs []error
	read := func(where string, of limitConfig, asset accounts.Asset) settlement.PayoutLimit {
		l, err := of.limit(asset)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
		return l
	}
	for i, a := range c.Assets {
		asset := a.asset()
		all.assets[asset] = read(fmt.Sprintf("assets[%d] (%v): limit", i, asset), a.Limit, asset)
		all.peers.Asset[asset] = read(fmt.Sprintf("assets[%d] (%v): peer_limit", i, asset), a.PeerLimit, asset)
	}
	for i, p := range c.Peers {
		asset, err := c.asset(p.Asset)
		if err != nil || p.Limit == (limitConfig{}) {
			continue // validate tells of an asset that is not there
		}
		all.peers.PeerAsset[peerAsset{Peer: p.ID, Asset: asset}] = read(fmt.Sprintf("peers[%d] (%s): limit", i, p.ID), p.Limit, asset)
	}
	return all, errors.Join(errs...)
}

// noteLimits says of what a plan orders which limits of the configuration bound it.
func (d *desk) noteLimits(plan []change) error {
	all, err := d.cfg.limits()
	if err != nil {
		return err
	}
	for i := range plan {
		c := &plan[i]
		if c.nothing {
			continue
		}
		asset, err := d.cfg.asset(c.Asset)
		if err != nil {
			return err
		}
		c.Note = notes(c.Note, saysLimit("its payments", asset, all.peers.For(c.Peer, asset)))
		c.Note = notes(c.Note, saysLimit("all payments in "+c.Asset, asset, all.assets[asset]))
	}
	return nil
}

// saysLimit says what a limit bounds; "" if it bounds nothing.
func saysLimit(of string, asset accounts.Asset, l settlement.PayoutLimit) string {
	var parts []string
	for _, p := range []struct {
		text   string
		amount ledger.Amount
	}{{"orders of %s at most", l.Order}, {"%s in 24 hours", l.Day}, {"settle approve above %s", l.ApproveAbove}} {
		if !p.amount.IsZero() {
			parts = append(parts, fmt.Sprintf(p.text, asset.Format(p.amount)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("The limit of %s: %s.", of, strings.Join(parts, ", "))
}

// reached are the limits that an engine has reached.
type reached struct {
	mu   sync.Mutex
	list []settlement.PayoutLimitError
}

func (r *reached) add(l settlement.PayoutLimitError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, l)
}

// warnOfLimits tells of limits that were reached, but for those that an error tells of.
func (d *desk) warnOfLimits(told error) {
	d.reached.mu.Lock()
	defer d.reached.mu.Unlock()
	for i := range d.reached.list {
		text := d.reached.list[i].Error()
		if told == nil || !strings.Contains(told.Error(), text) {
			fmt.Fprintf(d.stderr, "peerledger: warning: less was ordered than is due: %s.\n", text)
		}
	}
}

// approveFirst is the remedy for orders that wait to be approved.
const approveFirst = "Approve it with peerledger settle approve, and give the same command again: it is paid then. Or give it back with peerledger settle cancel."
