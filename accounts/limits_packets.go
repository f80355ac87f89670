package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// PacketLimits is what limits each packet of a peer by itself, whatever stands in the ledger.
type PacketLimits struct {
	MaxPacket  ledger.Amount // units; 0 if there is no limit
	MaxHold    time.Duration // 0 if there is no limit
	PacketRate Rate          // packets; the zero Rate if there is no limit
	AmountRate Rate          // units; the zero Rate if there is no limit
}

// Rate is a bucket of Count that fills in Per.
type Rate struct {
	Count uint64
	Per   time.Duration
}

// HasPacketLimits reports whether the Settings have any MaxPacket, MaxHold or rate, which recorders
// must enforce.
func (b *Book) HasPacketLimits() bool { return b.settings.any(Limits.limitsPackets) }

func (l Limits) limitsPackets() bool {
	return l.MaxPacket != "" || l.MaxHold != 0 || l.PacketRate != "" || l.AmountRate != ""
}

// packets reads what limits each packet by itself.
func (l Limits) packets(subject string, asset Asset) (p PacketLimits, err error) {
	var errs []error
	fault := func(field, reason string) {
		errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: reason})
	}
	if l.MaxPacket != "" && l.MaxPacket != unlimited {
		switch p.MaxPacket, err = limitAmount(asset, l.MaxPacket, ledger.Amount{}); {
		case err != nil:
			fault("MaxPacket", "cannot be used: "+err.Error())
		case p.MaxPacket.IsZero():
			fault("MaxPacket", "must be above 0")
		}
	}
	if p.MaxHold = l.MaxHold; l.MaxHold < 0 {
		fault("MaxHold", "must not be negative")
	}
	packets := Asset{Code: "packets"}
	if p.PacketRate, err = parseRate(packets, l.PacketRate); err != nil {
		fault("PacketRate", err.Error())
	}
	if p.AmountRate, err = parseRate(asset, l.AmountRate); err != nil {
		fault("AmountRate", err.Error())
	}
	return p, errors.Join(errs...)
}

// parseRate reads an amount and a time, as in "500.25/1m".
func parseRate(asset Asset, text string) (Rate, error) {
	if text == "" || text == unlimited {
		return Rate{}, nil
	}
	amount, per, _ := strings.Cut(text, "/")
	n, err := asset.Parse(amount)
	if err != nil {
		return Rate{}, fmt.Errorf("is %.40q: want an amount and a time, as in \"1000/1m\": %w", text, err)
	}
	count, fits := n.Uint64()
	duration, err := time.ParseDuration(per)
	if err != nil || duration <= 0 || !fits || count == 0 {
		return Rate{}, fmt.Errorf("is %.40q: want an amount from 1 to 2^64-1 units, and a time above 0, as in \"1000/1m\"", text)
	}
	return Rate{Count: count, Per: duration}, nil
}

// floor is the LiquidityFloor of an asset, nil if it has none.
func (s *Settings) floor(asset Asset) (*big.Int, error) {
	text, has := s.LiquidityFloor[asset]
	if !has {
		return nil, nil
	}
	digits, negative := strings.CutPrefix(text, "-")
	n, err := asset.Parse(digits)
	floor := n.Big()
	if negative {
		floor.Neg(floor)
	}
	return floor, err
}

// LiquidityReserve is our liquidity in an asset with a LiquidityFloor.
type LiquidityReserve struct {
	Asset      Asset
	AboveFloor ledger.Amount // units above the floor, what packets hold included; 0 if it is below
	Held       ledger.Amount // units of it that packets hold
}

// FlooredAssets are the assets that have a LiquidityFloor, by ledger number.
func (b *Book) FlooredAssets() []Asset {
	var floors []Asset
	for _, a := range b.Assets() {
		if _, has := b.settings.LiquidityFloor[a]; has {
			floors = append(floors, a)
		}
	}
	return floors
}

// LiquidityReserves are our liquidity in the assets of Floors, in the same order, read in one request
// and so of one moment. The error is ErrNotProvisioned, or that of the request.
func (b *Book) LiquidityReserves(ctx context.Context) ([]LiquidityReserve, error) {
	floors := b.FlooredAssets()
	ids := make([]ledger.ID, len(floors))
	for i, a := range floors {
		ids[i] = b.assets[a.Ledger].ids.Liquidity
	}
	byID, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return nil, fmt.Errorf("look up our liquidity: %w", err)
	}
	reserves := make([]LiquidityReserve, len(floors))
	for i, a := range floors {
		account, found := byID[ids[i]]
		if !found {
			return nil, fmt.Errorf("%w: %v", ErrNotProvisioned, a)
		}
		floor, _ := b.settings.floor(a) // validate has read it
		above := new(big.Int).Sub(account.CreditsPosted.Big(), account.DebitsPosted.Big())
		above.Sub(above, floor)
		reserves[i] = LiquidityReserve{Asset: a, Held: account.DebitsPending}
		if above.Sign() <= 0 {
			continue
		}
		if reserves[i].AboveFloor, err = ledger.ParseAmount(above.String()); err != nil {
			reserves[i].AboveFloor = ledger.AmountMax
		}
	}
	return reserves, nil
}
