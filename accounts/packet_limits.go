package accounts

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// PacketLimits are the limits of single packets of a peer, independent of the ledger's state.
type PacketLimits struct {
	MaxPacket  ledger.Amount // units; 0 if there is no limit
	MaxHold    time.Duration // 0 if there is no limit
	PacketRate Rate          // packets; the zero Rate if there is no limit
	AmountRate Rate          // units; the zero Rate if there is no limit
}

// Rate is the rate of a bucket with Count tokens that fills in Per.
type Rate struct {
	Count uint64
	Per   time.Duration
}

// HasPacketLimits reports whether any level of [Config.Limits] has a MaxPacket, a MaxHold or a
// rate. Recorders must enforce all of them.
func (b *Book) HasPacketLimits() bool { return b.limits.containsFunc(Limits.hasPacketLimits) }

func (l Limits) hasPacketLimits() bool {
	return l.MaxPacket != "" || l.MaxHold != 0 || l.PacketRate != "" || l.AmountRate != ""
}

// readPacketLimits parses the limits of single packets.
func (l Limits) readPacketLimits(subject string, asset Asset) (p PacketLimits, err error) {
	var errs []error
	fault := func(field, reason string) {
		errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: reason})
	}
	if l.MaxPacket != "" && l.MaxPacket != unlimited {
		switch p.MaxPacket, err = parseLimit(asset, l.MaxPacket, ledger.Amount{}); {
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

// parseRate parses an amount and a time, as in "500.25/1m".
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
