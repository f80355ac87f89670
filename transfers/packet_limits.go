package transfers

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/ledger"
)

// applyPacketLimits refuses a new packet by what it is itself, and cuts its Expiry to the MaxHold of its
// peers.
func (r *Recorder) applyPacketLimits(o *operation, now time.Time) error {
	if err := o.checkConversion(&r.cfg); err != nil {
		return wrapError(o.kind, o.packet.ID, err)
	}
	if !r.admission.hasPacketLimits {
		return nil
	}
	from, to := r.admission.limitsOf(o.packet.From), r.admission.limitsOf(o.packet.To)
	if from != nil {
		in, most := ledger.NewAmount(o.packet.In), from.limits.MaxPacket
		if !most.IsZero() && most.Less(in) {
			err := &PacketLimitError{Account: o.packet.From, Asset: o.fromAsset.asset, Cause: ErrPacketTooLarge, Limit: most, Wanted: in}
			return wrapError(o.kind, o.packet.ID, err)
		}
	}
	return r.capExpiry(&o.packet, shortestMaxHold(from, to), now)
}

// shortestMaxHold is the shorter MaxHold of two peers, 0 if there is none.
func shortestMaxHold(from, to *peerLimits) time.Duration {
	var most time.Duration
	for _, r := range [...]*peerLimits{from, to} {
		if r != nil && r.limits.MaxHold > 0 && (most == 0 || r.limits.MaxHold < most) {
			most = r.limits.MaxHold
		}
	}
	return most
}

// capExpiry cuts a packet's Expiry. A Hold is the caller's own, who has fixed the expiry of what
// it sends by it: it cannot be cut behind its back.
func (r *Recorder) capExpiry(p *Packet, most time.Duration, now time.Time) error {
	if most == 0 {
		return nil
	}
	if p.Hold > most+r.cfg.HoldMargin {
		reason := fmt.Sprintf("is %v: must be up to %v, the MaxHold of its peers and the HoldMargin", p.Hold, most+r.cfg.HoldMargin)
		return &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Hold", Reason: reason}
	}
	if latest := now.Add(most).Round(0); p.Expiry.After(latest) {
		p.Expiry = latest
	}
	return nil
}

// checkConversion refuses a packet between two assets that delivers nothing for something, or
// something for nothing, or more than came in is worth. What is from or for ourselves is our
// own matter.
func (o *operation) checkConversion(cfg *Config) error {
	p := &o.packet
	if o.fromAsset == o.toAsset || !cfg.GuardConversions && cfg.Rate == nil || p.From.IsOwn() || p.To.IsOwn() {
		return nil
	}
	wrong := cfg.GuardConversions && (p.In == 0) != (p.Out == 0) && (p.Out == 0 || !o.toAsset.allowLoss)
	if !wrong && cfg.Rate != nil && p.Out > 0 && !o.toAsset.allowLoss {
		c := cfg.Rate(o.fromAsset.asset, o.toAsset.asset)
		wrong = c != nil && !c.Covers(p.In, p.Out)
	}
	if wrong {
		return fmt.Errorf("%w: in %d of %v, out %d of %v", ErrAmounts, p.In, o.fromAsset.asset, p.Out, o.toAsset.asset)
	}
	return nil
}

// takeRate lets a prepare in, if its sender is not too fast.
func (r *peerLimits) takeRate(amount uint64, asset accounts.Asset, now time.Time) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.packetBucket.takeTokens(1, now) {
		return r.rateError(&r.packetBucket, 1, accounts.Asset{})
	}
	if !r.amountBucket.takeTokens(amount, now) {
		r.packetBucket.putBack(1)
		return r.rateError(&r.amountBucket, amount, asset)
	}
	return nil
}

// rateError is the error of a packet that is too much for a rate. REQUIRES: mu is held.
func (r *peerLimits) rateError(b *bucket, wanted uint64, asset accounts.Asset) error {
	return &PacketLimitError{
		Account: r.account, Asset: asset, Cause: ErrRateLimited, Limit: ledger.NewAmount(b.rate.Count),
		Used: ledger.NewAmount(b.rate.Count - b.level), Wanted: ledger.NewAmount(wanted),
	}
}

// RejectData is the data that goes with Code in a REJECT (RFC 0027): with F08 the amount that
// was received and the largest one that is taken, as two big endian 64-bit numbers, so that the
// sender knows how much smaller its packets must be. nil for all other errors.
func RejectData(err error) []byte {
	var limit *PacketLimitError
	if !errors.As(err, &limit) || !errors.Is(limit.Cause, ErrPacketTooLarge) {
		return nil
	}
	received, _ := limit.Wanted.Uint64() // both are below 2^64: a packet's amount was above the limit
	maximum, _ := limit.Limit.Uint64()
	return ilp.AmountTooLarge{Received: received, Maximum: maximum}.Data()
}
