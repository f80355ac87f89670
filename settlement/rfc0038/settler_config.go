package rfc0038

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// SettlerConfig configures a [Settler]. Client and IDs must be set.
type SettlerConfig struct {
	Client *Client
	IDs    *AccountIDs // of the Book that pays; shared with the server for the engine's reports

	// EngineScales are the scales of the smallest amounts that the engine pays: with 6, a millionth. An
	// order is cut to whole units of the engine, and the rest stays owed. A scale differs from the
	// asset's by at most 19: some engines compute powers of ten in 64 bits. Default nil: the asset's
	// scale.
	//
	// Change the scale of an account only while the account has no open order: a key belongs to one
	// quantity for ever.
	EngineScales accounts.Rules[*uint8]
	// MaxAmount is the largest amount that the engine takes, in the units that are sent: those of the
	// asset, or of the engine if its units are larger. An order above is not sent and waits for an
	// operator ([ErrAmountTooLarge]); a [settlement.PayoutLimit] cuts orders before. Set it to 2^64-1
	// for an engine that counts in 64 bits. Default nil: no bound.
	MaxAmount *big.Int

	// KeyLifetime is how long after the first request the engine is trusted to remember a key. An
	// order without a final answer by then is not sent again and waits for an operator
	// ([ErrKeyTooOld]): the engine may have paid, and would pay again. An order that an earlier process
	// may have sent counts from its [settlement.Order.ReleasedAt]. RFC 0038 asks for 24 h; engines on the Rust
	// library keep keys for 24 h from the first use, settlement-core on Redis for ever. Default 23 h;
	// below 0: for ever.
	KeyLifetime time.Duration

	// Events are called for settlements. Default none.
	Events SettlerEvents
	// Clock is compared with the ledger's time. Default [time.Now].
	Clock func() time.Time
}

// maxScaleDifference bounds the digits between our scale and the engine's: 10^19 fits in 64 bits, and
// 10^20 does not.
const maxScaleDifference = 19

// Validate reports all faults at once. The errors match [accounts.ErrInvalid] and name the field.
func (c SettlerConfig) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "rfc0038 settler", Field: field, Reason: reason})
		}
	}
	check(c.Client != nil, "Client", "is missing")
	check(c.IDs != nil, "IDs", "is missing")
	check(c.MaxAmount == nil || c.MaxAmount.Sign() > 0, "MaxAmount", "must be above 0")
	if c.IDs != nil {
		errs = append(errs, c.checkScales())
	}
	return errors.Join(errs...)
}

// checkScales refuses scales too far from the scales of the assets that they apply to.
func (c SettlerConfig) checkScales() error {
	var errs []error
	check := func(level string, scale *uint8, assets ...accounts.Asset) {
		for _, asset := range assets {
			if scale != nil && max(*scale, asset.Scale)-min(*scale, asset.Scale) > maxScaleDifference {
				errs = append(errs, &accounts.FieldError{
					Subject: "rfc0038 settler", Field: "EngineScales." + level,
					Reason: fmt.Sprintf("is %d: too far from the scale of %v, at most %d", *scale, asset, maxScaleDifference),
				})
			}
		}
	}
	all := c.IDs.book.Assets()
	for key, scale := range c.EngineScales.PeerAsset {
		check(fmt.Sprintf("PeerAsset[%.40q in %v]", key.Peer, key.Asset), scale, key.Asset)
	}
	for peer, scale := range c.EngineScales.Peer {
		check(fmt.Sprintf("Peer[%.40q]", peer), scale, all...)
	}
	for asset, scale := range c.EngineScales.Asset {
		check(fmt.Sprintf("Asset[%v]", asset), scale, asset)
	}
	for _, asset := range all {
		if _, narrower := c.EngineScales.Asset[asset]; !narrower {
			check("Default", c.EngineScales.Default, asset)
		}
	}
	return errors.Join(errs...)
}

func (c SettlerConfig) withDefaults() SettlerConfig {
	c.KeyLifetime = cmp.Or(c.KeyLifetime, 23*time.Hour)
	c.Events = c.Events.withDefaults()
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}
