package accounts

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// parseLimits parses limits in an asset with a ceiling.
func parseLimits(subject string, asset Asset, ceiling Decimal, l Limits) (EffectiveLimits, error) {
	var errs []error
	amount := func(field string, text Decimal, none ledger.Amount) ledger.Amount {
		n, err := parseLimit(asset, text, none)
		if err != nil {
			errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: "cannot be used: " + err.Error()})
		}
		return n
	}
	highest, _ := parseLimit(asset, ceiling, Unlimited) // Config.Validate reports the error
	effective := EffectiveLimits{
		CreditLine:    amount("CreditLine", l.CreditLine, ledger.Amount{}),
		Ceiling:       highest,
		PayableCap:    amount("PayableCap", l.PayableCap, Unlimited),
		InFlightShare: wholeLine,

		PayableCapped: l.PayableCap != "" && l.PayableCap != unlimited,
	}
	effective.CreditLine = effective.CreditLine.Min(effective.Ceiling)
	if l.InFlightShare != "" {
		share, err := parseShare(l.InFlightShare)
		if err != nil {
			errs = append(errs, &FieldError{Subject: subject, Field: "InFlightShare", Reason: err.Error()})
		}
		effective.InFlightShare, effective.InFlightCapped = share, share.LessThan(wholeLine)
	}
	packets, err := l.readPacketLimits(subject, asset)
	effective.PacketLimits = packets
	return effective, errors.Join(append(errs, err)...)
}

// parseLimit parses a limit; none is the result for an empty text.
func parseLimit(asset Asset, text Decimal, none ledger.Amount) (ledger.Amount, error) {
	switch text {
	case "":
		return none, nil
	case unlimited:
		return Unlimited, nil
	}
	n, err := asset.Parse(string(text))
	if err == nil && Unlimited.Less(n) {
		err = fmt.Errorf("%s is above %s, 2^96 units; say %q", text, asset.Text(Unlimited), unlimited)
	}
	return n, err
}

// wholeLine is the share of a credit line that is all of it.
var wholeLine = decimal.NewFromInt(1)

// maxShareText is the length of the longest share: one digit, a point and nine decimals.
const maxShareText = 11

func parseShare(text string) (decimal.Decimal, error) {
	share, err := parsePlain(text, maxShareText)
	if err != nil || share.GreaterThan(wholeLine) {
		return wholeLine, fmt.Errorf("is %.40q: must be from 0 to 1, with at most nine decimals", text)
	}
	return share, nil
}

func limitsSubject(peer string, asset Asset) string {
	return fmt.Sprintf("limits of peer %.40q in %v", peer, asset)
}

// validateLimits finds all faults of Limits, Ceilings and LiquidityFloors.
func (c Config) validateLimits() error {
	var errs []error
	known := make(map[Asset]bool, len(c.Assets))
	check := func(subject string, asset Asset, l Limits) {
		_, err := parseLimits(subject, asset, c.Ceilings[asset], l)
		errs = append(errs, err)
	}
	for _, a := range c.Assets {
		known[a] = true
		if _, err := parseLimit(a, c.Ceilings[a], Unlimited); err != nil {
			errs = append(errs, &FieldError{Subject: configSubject, Field: "Ceilings", Reason: fmt.Sprintf("of %v cannot be used: %v", a, err)})
		}
		if _, err := parseFloor(a, c.LiquidityFloors); err != nil {
			errs = append(errs, &FieldError{Subject: configSubject, Field: "LiquidityFloors", Reason: fmt.Sprintf("of %v cannot be used: %v", a, err)})
		}
		check(fmt.Sprintf("default limits in %v", a), a, c.Limits.Default)
		check(fmt.Sprintf("limits of %v", a), a, c.Limits.Asset[a])
		for peer, l := range c.Limits.Peer {
			check(limitsSubject(peer, a), a, l)
		}
	}
	for key, l := range c.Limits.PeerAsset {
		if known[key.Asset] {
			check(limitsSubject(key.Peer, key.Asset), key.Asset, l)
		}
	}
	return errors.Join(append(errs, c.findUnknown(known)...)...)
}

// findUnknown finds limits of assets that the Book does not have, and of ids that no peer can
// have: they would never apply.
func (c Config) findUnknown(known map[Asset]bool) []error {
	var errs []error
	checkAsset := func(subject, field string, a Asset) {
		if !known[a] {
			errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: fmt.Sprintf("has %s, which is no asset of the Book", a.describeExactly())})
		}
	}
	const limits = configSubject + ": Limits"
	checkPeer := func(field, id string) {
		if !validName(id, maxPeerID) {
			errs = append(errs, &FieldError{Subject: limits, Field: field, Reason: fmt.Sprintf("has the peer %.40q: its id %s", id, nameRule(maxPeerID))})
		}
	}
	for a := range c.Limits.Asset {
		checkAsset(limits, "Asset", a)
	}
	for a := range c.Ceilings {
		checkAsset(configSubject, "Ceilings", a)
	}
	for a := range c.LiquidityFloors {
		checkAsset(configSubject, "LiquidityFloors", a)
	}
	for id := range c.Limits.Peer {
		checkPeer("Peer", id)
	}
	for key := range c.Limits.PeerAsset {
		checkAsset(limits, "PeerAsset", key.Asset)
		checkPeer("PeerAsset", key.Peer)
	}
	return errs
}

// checkCeiling refuses a credit line above the ceiling of its asset.
func (b *Book) checkCeiling(account PeerAccount, line ledger.Amount) error {
	allowed, err := b.EffectiveLimits(account)
	if err == nil && allowed.Ceiling.Less(line) {
		asset := b.assets[account.ledger].asset
		err = &FieldError{
			Subject: account.String(), Field: "CreditLine",
			Reason: fmt.Sprintf("%s is above the ceiling of %s", asset.Text(line), asset.Text(allowed.Ceiling)),
		}
	}
	return err
}
