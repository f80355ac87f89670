package effects

import (
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Unlimited is the text of the largest credit line.
const Unlimited = "unlimited"

// FormatSigned formats units as whole units of the asset, with all its decimals.
func FormatSigned(asset accounts.Asset, units *big.Int) string {
	return decimal.NewFromBigInt(units, -int32(asset.Scale)).StringFixed(int32(asset.Scale))
}

// FormatLine formats a credit line; the largest one is "unlimited". ParseLine reads both.
func FormatLine(asset accounts.Asset, line ledger.Amount) string {
	if line == accounts.Unlimited {
		return Unlimited
	}
	return asset.Format(line)
}

// ParseLine reads a credit line in whole units, or "unlimited".
func ParseLine(asset accounts.Asset, text string) (ledger.Amount, error) {
	if text = strings.TrimSpace(text); text == Unlimited {
		return accounts.Unlimited, nil
	}
	return asset.Parse(text)
}

// DescribeState returns the state of a peer in one word.
func DescribeState(b accounts.Balance) string {
	switch {
	case b.Closed:
		return "closed"
	case b.Suspended:
		return "suspended"
	default:
		return "active"
	}
}
