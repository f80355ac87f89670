package main

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/peerledger/peerledger/accounts"
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

// checkOwnLiquidity checks that our liquidity in an asset is above the levels of the flags.
func (s *session) checkOwnLiquidity(ctx context.Context, asset accounts.Asset, f checkOptions, r *bookReport) error {
	warning, err := s.cfg.parseLevel(asset, "liquidity-warning", f.liquidity[0])
	if err != nil {
		return err
	}
	critical, err := s.cfg.parseLevel(asset, "liquidity-critical", f.liquidity[1])
	if err != nil || warning == nil && critical == nil {
		return err
	}
	position, err := s.readOwnPosition(ctx, asset)
	if err != nil {
		return err
	}
	grade := checkOK
	switch {
	case critical != nil && position.Liquidity.Cmp(critical) <= 0:
		grade = checkCritical
	case warning != nil && position.Liquidity.Cmp(warning) <= 0:
		grade = checkWarning
	}
	r.add(grade, checkLiquidity, fmt.Sprintf("our liquidity is %s %s", formatSigned(asset, position.Liquidity), asset.Code))
	r.measure("liquidity", asset, formatSigned(asset, position.Liquidity), "", formatLevel(asset, warning), formatLevel(asset, critical))
	return nil
}

// formatLevel formats a level as the guidelines of monitoring plugins have it: values below are alerts.
func formatLevel(asset accounts.Asset, level *big.Int) string {
	if level == nil {
		return ""
	}
	return formatSigned(asset, level) + ":"
}
