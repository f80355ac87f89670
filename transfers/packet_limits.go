package transfers

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/internal/tokenbucket"
	"github.com/peerledger/peerledger/ledger"
)

// applyPacketLimits checks the limits on a single new packet: the conversion, and the
// sender's MaxPacket. The packet's Expiry is shortened to the MaxHold of the peers.
func (r *Recorder) applyPacketLimits(o *operation, now time.Time) error {
	if err := o.checkConversion(&r.cfg); err != nil {
		return wrapError(o.kind, o.packet.ID, err)
	}
	if !r.admission.hasPacketLimits {
		return nil
	}
	from, to := r.admission.limitsOf(o.packet.From), r.admission.limitsOf(o.packet.To)
	if from != nil {
		in, limit := ledger.NewAmount(o.packet.In), from.limits.MaxPacket
		if !limit.IsZero() && limit.Less(in) {
			err := &PacketLimitError{Account: o.packet.From, Asset: o.fromAsset.asset, Cause: ErrPacketTooLarge, Limit: limit, Wanted: in}
			return wrapError(o.kind, o.packet.ID, err)
		}
	}
	return r.capExpiry(&o.packet, shortestMaxHold(from, to), now)
}

// shortestMaxHold returns the shorter MaxHold of two peers, 0 if neither has one.
func shortestMaxHold(from, to *peerLimits) time.Duration {
	var shortest time.Duration
	for _, l := range [...]*peerLimits{from, to} {
		if l != nil && l.limits.MaxHold > 0 && (shortest == 0 || l.limits.MaxHold < shortest) {
			shortest = l.limits.MaxHold
		}
	}
	return shortest
}

// capExpiry shortens a packet's Expiry to maxHold from now. A longer Hold is refused:
// by the Hold the caller chose the expiry of the PREPARE sent on.
func (r *Recorder) capExpiry(p *Packet, maxHold time.Duration, now time.Time) error {
	if maxHold == 0 {
		return nil
	}
	if p.Hold > maxHold+r.cfg.HoldMargin {
		reason := fmt.Sprintf("is %v: must be up to %v, the MaxHold of its peers and the HoldMargin", p.Hold, maxHold+r.cfg.HoldMargin)
		return &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Hold", Reason: reason}
	}
	if latest := now.Add(maxHold).Round(0); p.Expiry.After(latest) {
		p.Expiry = latest
	}
	return nil
}

// checkConversion refuses a packet between two assets delivering nothing for something,
// something for nothing, or more than In is worth. Packets from or to ourselves are not
// checked.
func (o *operation) checkConversion(cfg *Config) error {
	p := &o.packet
	if o.fromAsset == o.toAsset || !cfg.GuardConversions && cfg.Rate == nil || p.From.IsOwn() || p.To.IsOwn() {
		return nil
	}
	guard := accounts.ConversionGuard{GuardConversions: cfg.GuardConversions, Rate: cfg.Rate}
	if !guard.Allows(o.fromAsset.asset, o.toAsset.asset, p.In, p.Out) {
		return fmt.Errorf("%w: in %d of %v, out %d of %v", ErrAmounts, p.In, o.fromAsset.asset, p.Out, o.toAsset.asset)
	}
	return nil
}

// takeRate takes a prepare out of the sender's rates, or returns the exceeded rate.
func (l *peerLimits) takeRate(amount uint64, asset accounts.Asset, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.packetBucket.Take(1, now) {
		return l.rateError(&l.packetBucket, 1, accounts.Asset{})
	}
	if !l.amountBucket.Take(amount, now) {
		l.packetBucket.PutBack(1)
		return l.rateError(&l.amountBucket, amount, asset)
	}
	return nil
}

// rateError returns the error of a packet beyond a rate. REQUIRES: mu is held.
func (l *peerLimits) rateError(b *tokenbucket.Bucket, wanted uint64, asset accounts.Asset) error {
	return &PacketLimitError{
		Account: l.account, Asset: asset, Cause: ErrRateLimited, Limit: ledger.NewAmount(b.Count),
		Used: ledger.NewAmount(b.Used()), Wanted: ledger.NewAmount(wanted),
	}
}

// RejectData returns the data to send with [ILPCode] in a REJECT (RFC 0027). For F08: the
// received amount and the largest accepted amount, as two big endian 64-bit numbers:
// the sender learns how much smaller packets must be. For all further errors: nil.
func RejectData(err error) []byte {
	var converted *accounts.PacketTooLargeError
	if errors.As(err, &converted) {
		return ilp.AmountTooLarge{Received: converted.In, Maximum: converted.MaxIn}.Data()
	}
	var limit *PacketLimitError
	if !errors.As(err, &limit) || !errors.Is(limit.Cause, ErrPacketTooLarge) {
		return nil
	}
	received, _ := limit.Wanted.Uint64() // fits: a packet's amount, and the limit is below it
	maximum, _ := limit.Limit.Uint64()
	return ilp.AmountTooLarge{Received: received, Maximum: maximum}.Data()
}
