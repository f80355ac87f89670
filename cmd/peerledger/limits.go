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

// limitConfig bounds the payments of settle now and settle refund. Amounts are in whole units; ""
// is no limit.
type limitConfig struct {
	Order        string `yaml:"order"`         // the largest order
	Day          string `yaml:"day"`           // the largest sum in 24 hours
	ApproveAbove string `yaml:"approve_above"` // the largest order that is paid without settle approve
}

// parseLimit returns the limit in units of the asset.
func (c limitConfig) parseLimit(asset accounts.Asset) (l settlement.PayoutLimit, err error) {
	var errs []error
	for _, field := range []struct {
		name, text string
		target     *ledger.Amount
	}{{"order", c.Order, &l.MaxOrder}, {"day", c.Day, &l.MaxPerDay}, {"approve_above", c.ApproveAbove, &l.ApproveAbove}} {
		if field.text == "" {
			continue
		}
		if *field.target, err = asset.Parse(field.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field.name, err))
		} else if field.target.IsZero() {
			errs = append(errs, fmt.Errorf("%s: must be above 0; leave it out for no limit, and stop payments with peerledger settle stop", field.name))
		}
	}
	if len(errs) == 0 && !l.MaxPerDay.IsZero() && l.MaxPerDay.Less(l.MaxOrder) {
		errs = append(errs, fmt.Errorf("order, %s, must be at most day, %s", asset.Format(l.MaxOrder), asset.Format(l.MaxPerDay)))
	}
	return l, errors.Join(errs...)
}

// payoutLimits are the limits of the configuration: of each peer, and of all payments in an asset.
type payoutLimits struct {
	peers  accounts.Rules[settlement.PayoutLimit]
	assets map[accounts.Asset]settlement.PayoutLimit
}

// parseLimits returns the limits of the configuration.
func (c config) parseLimits() (payoutLimits, error) {
	parsed := payoutLimits{assets: map[accounts.Asset]settlement.PayoutLimit{}}
	parsed.peers.Asset, parsed.peers.PeerAsset = map[accounts.Asset]settlement.PayoutLimit{}, map[peerAsset]settlement.PayoutLimit{}
	var errs []error
	parseInto := func(list string, i int, name, field string, cfg limitConfig, asset accounts.Asset) settlement.PayoutLimit {
		l, err := cfg.parseLimit(asset)
		if err != nil {
			errs = append(errs, faultIn(fmt.Errorf("%s[%d] (%s): %s: %w", list, i, name, field, err), list, i, field))
		}
		return l
	}
	for i, a := range c.Assets {
		asset := a.toAsset()
		parsed.assets[asset] = parseInto("assets", i, asset.String(), "limit", a.Limit, asset)
		parsed.peers.Asset[asset] = parseInto("assets", i, asset.String(), "peer_limit", a.PeerLimit, asset)
	}
	for i, p := range c.Peers {
		asset, err := c.findAsset(p.Asset)
		if err != nil || p.Limit == (limitConfig{}) {
			continue // validate reports unknown assets
		}
		parsed.peers.PeerAsset[peerAsset{Peer: p.ID, Asset: asset}] = parseInto("peers", i, p.ID, "limit", p.Limit, asset)
	}
	return parsed, errors.Join(errs...)
}

// noteLimits notes the limits of the configuration on each planned order.
func (s *session) noteLimits(plan []change) error {
	limits, err := s.cfg.parseLimits()
	if err != nil {
		return err
	}
	for i := range plan {
		c := &plan[i]
		if c.noop {
			continue
		}
		asset, err := s.cfg.findAsset(c.Asset)
		if err != nil {
			return err
		}
		c.Note = joinNotes(c.Note, describeLimit("its payments", asset, limits.peers.For(c.Peer, asset)))
		c.Note = joinNotes(c.Note, describeLimit("all payments in "+c.Asset, asset, limits.assets[asset]))
	}
	return nil
}

// describeLimit describes a limit; "" without a bound.
func describeLimit(payments string, asset accounts.Asset, l settlement.PayoutLimit) string {
	var parts []string
	for _, p := range []struct {
		text   string
		amount ledger.Amount
	}{{"orders of %s at most", l.MaxOrder}, {"%s in 24 hours", l.MaxPerDay}, {"settle approve above %s", l.ApproveAbove}} {
		if !p.amount.IsZero() {
			parts = append(parts, fmt.Sprintf(p.text, asset.Format(p.amount)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("The limit of %s: %s.", payments, strings.Join(parts, ", "))
}

// reachedLimits collects the limits that an engine has reached.
type reachedLimits struct {
	mu   sync.Mutex
	list []settlement.PayoutLimitError
}

// addLimit is the engine's event handler.
func (r *reachedLimits) addLimit(l settlement.PayoutLimitError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, l)
}

// warnOfLimits prints the reached limits, except the limits that the error text contains.
func (s *session) warnOfLimits(reported error) {
	s.reached.mu.Lock()
	defer s.reached.mu.Unlock()
	for i := range s.reached.list {
		text := s.reached.list[i].Error()
		if reported == nil || !strings.Contains(reported.Error(), text) {
			fmt.Fprintf(s.stderr, "peerledger: warning: less was ordered than is due: %s.\n", text)
		}
	}
}

// approveHint is the next step for orders that wait for approval.
const approveHint = "Approve the order with peerledger settle approve and repeat this command, which then pays it. Or cancel the order with peerledger settle cancel."
