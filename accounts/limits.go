package accounts

import (
	"cmp"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// Limits are limits of peers on one level of [Config.Limits]. A field that is "" or 0 is not set
// on the level.
//
// The ledger enforces the credit line, for any number of connectors together. It cannot enforce
// PayableCap and InFlightShare: an account has a limit on one side only, and no shares. So each
// recorder enforces these two, exactly for its own packets, and for packets of other processes
// by its last read of the ledger ([Config.SuspensionPollInterval]). The remaining limits are
// about the packets of one recorder: with n recorders, a peer may send at n times the rates.
type Limits struct {
	// CreditLine is how much the peer may owe us; "unlimited" is [Unlimited].
	// [Book.Provision] grants it to a peer without a CreditLine of its own and without a grant
	// so far.
	CreditLine Decimal
	// PayableCap is how much we may owe the peer, packets in flight to the peer included.
	// "unlimited" lifts the cap of a wider level.
	PayableCap Decimal
	// InFlightShare is the part of the credit line that packets in flight from the peer may
	// hold, from "0" to "1". A peer whose packets are never fulfilled blocks no more than this
	// share. The payable is the peer's own money: packets may hold all of it besides.
	InFlightShare string
	// MaxPacket is the largest amount of a packet from the peer, above 0. "unlimited" lifts
	// the limit of a wider level.
	MaxPacket Decimal
	// MaxHold is how long before its expiry a packet from or to the peer may be prepared: a
	// packet that expires in a year would block a cap for a year. The recorder cuts the
	// packet's Expiry. A longer MaxHold lifts the limit of a wider level.
	MaxHold time.Duration
	// PacketRate is how many packets the peer may send, and AmountRate how much in all:
	// "10000/1m" is a bucket of 10000 that fills in a minute, with up to 10000 at once.
	// "unlimited" lifts the rate of a wider level. AmountRate is up to 2^64-1 units.
	PacketRate string
	AmountRate string
}

// unlimited lifts a limit.
const unlimited = "unlimited"

// orElse completes the limits of a level with the limits of the next wider level.
func (l Limits) orElse(wider Limits) Limits {
	return Limits{
		CreditLine:    cmp.Or(l.CreditLine, wider.CreditLine),
		PayableCap:    cmp.Or(l.PayableCap, wider.PayableCap),
		InFlightShare: cmp.Or(l.InFlightShare, wider.InFlightShare),
		MaxPacket:     cmp.Or(l.MaxPacket, wider.MaxPacket),
		MaxHold:       cmp.Or(l.MaxHold, wider.MaxHold),
		PacketRate:    cmp.Or(l.PacketRate, wider.PacketRate),
		AmountRate:    cmp.Or(l.AmountRate, wider.AmountRate),
	}
}

// resolveLimits takes each limit of a peer in an asset from the first level that sets it.
func resolveLimits(r Rules[Limits], peer string, asset Asset) Limits {
	return r.PeerAsset[PeerAsset{peer, asset}].orElse(r.Peer[peer]).orElse(r.Asset[asset]).orElse(r.Default)
}

// EffectiveLimits are the limits of a peer in an asset, resolved over all levels of
// [Config.Limits].
type EffectiveLimits struct {
	CreditLine ledger.Amount // units, not above Ceiling; 0 if no level sets it
	Ceiling    ledger.Amount // units: the highest credit line in the asset
	// PayableCap is how much we may owe the peer, in units, if PayableCapped.
	PayableCapped bool
	PayableCap    ledger.Amount
	// InFlightShare is the part of the credit line that packets may hold, 0 to 1. It is 1
	// unless InFlightCapped.
	InFlightCapped bool
	InFlightShare  decimal.Decimal
	PacketLimits
}

// InFlightCap returns how many units of a credit line packets in flight may hold, rounded down.
func (e EffectiveLimits) InFlightCap(line ledger.Amount) ledger.Amount {
	share := decimal.NewFromBigInt(line.Big(), 0).Mul(e.InFlightShare).Floor()
	held, err := ledger.ParseAmount(share.String())
	if err != nil {
		return line // a share of up to 1 fits
	}
	return held
}

// HasCaps reports whether any level of [Config.Limits] has a PayableCap or an InFlightShare.
// Recorders must enforce both.
func (b *Book) HasCaps() bool { return b.limits.containsFunc(Limits.hasCaps) }

func (l Limits) hasCaps() bool { return l.PayableCap != "" || l.InFlightShare != "" }

// EffectiveLimits returns the limits of a peer in an asset. The errors are as for
// [Book.PeerAccount], for a PeerAccount of another Book.
func (b *Book) EffectiveLimits(account PeerAccount) (EffectiveLimits, error) {
	if err := b.checkPeer(account); err != nil {
		return EffectiveLimits{}, err
	}
	asset := b.assets[account.ledger].asset
	return parseLimits(limitsSubject(account.peer, asset), asset, b.ceilings[asset], resolveLimits(b.limits, account.peer, asset))
}
