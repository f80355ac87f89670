package main

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/internal/effects"
)

// parseLevel returns the level of an asset in values of --liquidity-warning or --liquidity-critical, such as
// USD=100, or 100 if only one asset is configured; nil without one.
func (c config) parseLevel(asset accounts.Asset, flag string, values []string) (*big.Int, error) {
	var level *big.Int
	for _, value := range values {
		name, amount, hasName := cutLast(value, "=")
		if !hasName {
			name, amount = "", value
		}
		of, err := c.findAsset(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("%w: --%s %s: %w", errUsage, flag, value, err)
		}
		units, err := of.Parse(strings.TrimSpace(amount))
		if err != nil {
			return nil, fmt.Errorf("%w: --%s %s: %w", errUsage, flag, value, err)
		}
		if of == asset {
			level = units.Big()
		}
	}
	return level, nil
}

// checkLiquidity checks our liquidity in an asset, by our positions and by the levels of the flags. A ledger without our
// accounts has no liquidity of ours.
func (s *session) checkLiquidity(asset accounts.Asset, own []accounts.AssetPosition, f checkOptions, r *bookReport) error {
	warning, err := s.cfg.parseLevel(asset, "liquidity-warning", f.liquidity[0])
	if err != nil {
		return err
	}
	critical, err := s.cfg.parseLevel(asset, "liquidity-critical", f.liquidity[1])
	if err != nil {
		return err
	}
	position := accounts.AssetPosition{Asset: asset, Liquidity: new(big.Int)}
	if i := slices.IndexFunc(own, func(p accounts.AssetPosition) bool { return p.Asset == asset }); i >= 0 {
		position = own[i]
	}
	r.add(bookcheck.CheckLiquidity(&position, warning, critical))
	if warning != nil || critical != nil {
		r.measure("liquidity", asset, effects.FormatSigned(asset, position.Liquidity), "", formatLevel(asset, warning), formatLevel(asset, critical))
	}
	return nil
}

// formatLevel formats a level as the guidelines of monitoring plugins have it: values below are alerts.
func formatLevel(asset accounts.Asset, level *big.Int) string {
	if level == nil {
		return ""
	}
	return formatSigned(asset, level) + ":"
}
