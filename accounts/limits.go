package accounts

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// Settings are the limits of peers, by level. Each limit is looked for at the peer in
// the asset, then at the peer, then at the asset; the first level that sets it decides.
// What no level sets is none: no credit line, so nothing is unlimited by omission, and
// no cap of the other two.
//
// Amounts are in whole units of the asset, as Asset.Parse reads them: "1000.50".
type Settings struct {
	PeerAsset map[PeerAsset]Limits // of a peer in one asset
	Peer      map[string]Limits    // of a peer, by its id, in each asset
	Asset     map[Asset]Limits     // of each peer in an asset
	// Ceiling is the highest credit line in an asset, whatever the limits say and
	// whoever asks for more. Default none but Unlimited.
	Ceiling map[Asset]string
	// LiquidityFloor is what our liquidity in an asset must not fall below by packets of
	// peers: those from another asset, and those that pay out more than came in. Below 0, as
	// in "-500.00", is how short of the asset we may be. Packets from ourselves count, and are
	// not refused. Recorders enforce it, as they do PayableCap. Default none.
	LiquidityFloor map[Asset]string
}

// PeerAsset is a peer in one asset.
type PeerAsset struct {
	Peer  string
	Asset Asset
}

// Limits are those of one level. A field that is "" is not set there.
//
// The ledger itself enforces the credit line: no number of connectors together can
// exceed it. One account cannot have a limit on both sides there, and knows no shares,
// so the next two are enforced by each recorder for itself: exactly as far as its own
// packets go, and with what other processes do as it was at the recorder's last look at
// the ledger (Config.SuspensionPollInterval). The others are about the packets of one recorder: they need no
// ledger, and with n recorders a peer may send at n times the rates.
type Limits struct {
	// CreditLine is how much the peer may owe us; "unlimited" is Unlimited. Provision
	// grants it to a peer that is given without a CreditLine and never had one.
	CreditLine string
	// PayableCap is how much we may owe the peer, the packets in flight to it included.
	PayableCap string
	// InFlightShare is the part of the credit line that packets in flight from the peer may
	// hold, from "0" to "1": a peer whose packets are never fulfilled then blocks no
	// more than that. What we owe the peer counts as its own, which it may hold whole.
	InFlightShare string
	// MaxPacket is the largest amount of a packet from the peer, above 0.
	MaxPacket string
	// MaxHold is how long before its expiry a packet from or to the peer may be prepared: a
	// packet that expires in a year would block a cap for a year. The recorder cuts the
	// packet's Expiry. 0 is not set here; a longer one lifts that of another level.
	MaxHold time.Duration
	// PacketRate is how many packets the peer may send, and AmountRate of how much in all:
	// "10000/1m" is a bucket of 10000 that fills in a minute, so up to 10000 at once.
	// "unlimited" lifts that of another level. AmountRate is up to 2^64-1 units.
	PacketRate string
	AmountRate string
}

// EffectiveLimits is what a peer may do in an asset by the Settings, all levels taken together.
type EffectiveLimits struct {
	CreditLine ledger.Amount // units; not above the ceiling. 0 if nothing sets it
	Ceiling    ledger.Amount // units: the highest line
	// PayableCap is what we may owe the peer, in units, if PayableCapped.
	PayableCapped bool
	PayableCap    ledger.Amount
	// InFlightShare is the part of the line that packets may hold, 0 to 1; 1 unless
	// InFlightCapped: then the line alone decides.
	InFlightCapped bool
	InFlightShare  decimal.Decimal
	PacketLimits
}

// InFlightCap is how many units of a credit line packets in flight may hold, rounded down.
func (a EffectiveLimits) InFlightCap(line ledger.Amount) ledger.Amount {
	share := decimal.NewFromBigInt(line.Big(), 0).Mul(a.InFlightShare).Floor()
	held, err := ledger.ParseAmount(share.String())
	if err != nil {
		return line // a share of up to 1 fits
	}
	return held
}

// HasCaps reports whether the Settings have any PayableCap or InFlightShare, which recorders
// must enforce.
func (b *Book) HasCaps() bool { return b.settings.capped() }

func (s *Settings) capped() bool {
	return s.any(Limits.caps)
}

// any reports whether there is something in any of the limits.
func (s *Settings) any(has func(Limits) bool) bool {
	for _, l := range s.Asset {
		if has(l) {
			return true
		}
	}
	for _, l := range s.Peer {
		if has(l) {
			return true
		}
	}
	for _, l := range s.PeerAsset {
		if has(l) {
			return true
		}
	}
	return false
}

func (l Limits) caps() bool { return l.PayableCap != "" || l.InFlightShare != "" }

// EffectiveLimits is what the Settings allow a peer. The errors are those of Book.PeerAccount for
// a handle that is not of this Book.
func (b *Book) EffectiveLimits(account PeerAccount) (EffectiveLimits, error) {
	if err := b.checkPeer(account); err != nil {
		return EffectiveLimits{}, err
	}
	return b.settings.allowance(account.peer, b.assets[account.ledger].asset)
}

const unlimited = "unlimited"

func (s *Settings) allowance(peer string, asset Asset) (EffectiveLimits, error) {
	one, each, all := s.PeerAsset[PeerAsset{peer, asset}], s.Peer[peer], s.Asset[asset]
	subject := fmt.Sprintf("limits of peer %.40q in %v", peer, asset)
	return s.read(subject, asset, Limits{
		CreditLine:    cmp.Or(one.CreditLine, each.CreditLine, all.CreditLine),
		PayableCap:    cmp.Or(one.PayableCap, each.PayableCap, all.PayableCap),
		InFlightShare: cmp.Or(one.InFlightShare, each.InFlightShare, all.InFlightShare),
		MaxPacket:     cmp.Or(one.MaxPacket, each.MaxPacket, all.MaxPacket),
		MaxHold:       cmp.Or(one.MaxHold, each.MaxHold, all.MaxHold),
		PacketRate:    cmp.Or(one.PacketRate, each.PacketRate, all.PacketRate),
		AmountRate:    cmp.Or(one.AmountRate, each.AmountRate, all.AmountRate),
	})
}

// read reads limits as they are in an asset.
func (s *Settings) read(subject string, asset Asset, l Limits) (EffectiveLimits, error) {
	var errs []error
	amount := func(field, text string, none ledger.Amount) ledger.Amount {
		n, err := limitAmount(asset, text, none)
		if err != nil {
			errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: "cannot be used: " + err.Error()})
		}
		return n
	}
	ceiling, _ := s.ceiling(asset) // validate has read it
	a := EffectiveLimits{
		CreditLine:    amount("CreditLine", l.CreditLine, ledger.Amount{}),
		Ceiling:       ceiling,
		PayableCap:    amount("PayableCap", l.PayableCap, Unlimited),
		InFlightShare: wholeLine,

		PayableCapped: l.PayableCap != "" && l.PayableCap != unlimited,
	}
	a.CreditLine = a.CreditLine.Min(a.Ceiling)
	if l.InFlightShare != "" {
		share, err := parseShare(l.InFlightShare)
		if err != nil {
			errs = append(errs, &FieldError{Subject: subject, Field: "InFlightShare", Reason: err.Error()})
		}
		a.InFlightShare, a.InFlightCapped = share, share.LessThan(wholeLine)
	}
	packets, err := l.packets(subject, asset)
	a.PacketLimits = packets
	return a, errors.Join(append(errs, err)...)
}

func (s *Settings) ceiling(asset Asset) (ledger.Amount, error) {
	return limitAmount(asset, s.Ceiling[asset], Unlimited)
}

func limitAmount(asset Asset, text string, none ledger.Amount) (ledger.Amount, error) {
	switch text {
	case "":
		return none, nil
	case unlimited:
		return Unlimited, nil
	}
	n, err := asset.Parse(text)
	if err == nil && Unlimited.Less(n) {
		err = fmt.Errorf("%s is above %s, 2^96 units; say %q", text, asset.Text(Unlimited), unlimited)
	}
	return n, err
}

// wholeLine is the share of a line that is all of it.
var wholeLine = decimal.NewFromInt(1)

// maxShare is the length of the longest share: more than nine decimals say nothing.
const maxShare = 11

func parseShare(text string) (decimal.Decimal, error) {
	share, err := parsePlain(text, maxShare)
	if err != nil || share.GreaterThan(wholeLine) {
		return wholeLine, fmt.Errorf("is %.40q: must be from 0 to 1, with at most nine decimals", text)
	}
	return share, nil
}

// validate finds all that is wrong with the settings of a Book with these assets.
func (s *Settings) validate(assets []Asset) error {
	var errs []error
	known := make(map[Asset]bool, len(assets))
	check := func(subject string, asset Asset, l Limits) {
		_, err := s.read(subject, asset, l)
		errs = append(errs, err)
	}
	for _, a := range assets {
		known[a] = true
		if _, err := s.ceiling(a); err != nil {
			errs = append(errs, &FieldError{Subject: fmt.Sprintf("limits of %v", a), Field: "Ceiling", Reason: "cannot be used: " + err.Error()})
		}
		if _, err := s.floor(a); err != nil {
			errs = append(errs, &FieldError{Subject: fmt.Sprintf("limits of %v", a), Field: "LiquidityFloor", Reason: "cannot be used: " + err.Error()})
		}
		check(fmt.Sprintf("limits of %v", a), a, s.Asset[a])
		for peer, l := range s.Peer {
			check(fmt.Sprintf("limits of peer %.40q in %v", peer, a), a, l)
		}
	}
	for key, l := range s.PeerAsset {
		if known[key.Asset] {
			check(fmt.Sprintf("limits of peer %.40q in %v", key.Peer, key.Asset), key.Asset, l)
		}
	}
	return errors.Join(append(errs, s.unknown(known)...)...)
}

// unknown finds settings for nobody, which are surely meant for somebody.
func (s *Settings) unknown(known map[Asset]bool) []error {
	var errs []error
	asset := func(field string, a Asset) {
		if !known[a] {
			errs = append(errs, &FieldError{Subject: "settings", Field: field, Reason: fmt.Sprintf("has %s, which is none of the Book's assets", a.describe())})
		}
	}
	peer := func(field, id string) {
		if !validName(id, maxPeerID) {
			errs = append(errs, &FieldError{Subject: "settings", Field: field, Reason: fmt.Sprintf("has the peer %.40q: its id %s", id, nameRule(maxPeerID))})
		}
	}
	for a := range s.Asset {
		asset("Asset", a)
	}
	for a := range s.Ceiling {
		asset("Ceiling", a)
	}
	for a := range s.LiquidityFloor {
		asset("LiquidityFloor", a)
	}
	for id := range s.Peer {
		peer("Peer", id)
	}
	for key := range s.PeerAsset {
		asset("PeerAsset", key.Asset)
		peer("PeerAsset", key.Peer)
	}
	return errs
}

// checkCeiling refuses a line above the ceiling of its asset.
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
