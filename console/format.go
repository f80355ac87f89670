package console

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
)

const (
	unknown   = "unknown"
	unlimited = effects.Unlimited
)

// formatSigned formats units as whole units of the asset, with all its decimals.
func formatSigned(asset accounts.Asset, units *big.Int) string {
	return effects.FormatSigned(asset, units)
}

// formatLine formats a credit line; the largest one is "unlimited".
func formatLine(asset accounts.Asset, line ledger.Amount) string {
	return effects.FormatLine(asset, line)
}

// formatHeadroom formats a headroom. That of an unlimited line is no figure to act on.
func formatHeadroom(b *accounts.Balance) string {
	if b.CreditLine == accounts.Unlimited {
		return unlimited
	}
	return b.Asset.Format(b.Headroom)
}

// formatPrepaid formats a prepayment, with a sign if it is an upper bound.
func formatPrepaid(b *accounts.Balance) string {
	if b.PrepaidAtMost && !b.Prepaid.IsZero() {
		return "≤ " + b.Asset.Format(b.Prepaid)
	}
	return b.Asset.Format(b.Prepaid)
}

// formatTime formats a time for people, with its zone; the zero time is "".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// stampTime formats a time for programs; the zero time is nil.
func stampTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// formatAge formats the time since a moment, in at most two units.
func formatAge(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// formatTag formats the first bytes of a condition; a tag of zeros is "".
func formatTag(tag [8]byte) string {
	if tag == [8]byte{} {
		return ""
	}
	return hex.EncodeToString(tag[:])
}
