package console

import (
	"fmt"
	"net/url"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// pastRange is a range of time up to now or up to a moment, as the address of a peer's page gives it.
type pastRange struct {
	name     string    // of a range up to now, as in "7d"; "" if the address gives moments
	from, to time.Time // moments; zero is open. Without a name only
}

// namedRanges are the ranges up to now.
var namedRanges = []struct {
	name, label string
	length      time.Duration
}{{"24h", "24 hours", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}, {"30d", "30 days", 30 * 24 * time.Hour}}

// parsePastRange reads the range of an address; without one it is the last day.
func parsePastRange(values url.Values) (r pastRange, err error) {
	if r.from, err = parseMoment(values.Get("from")); err != nil {
		return r, fmt.Errorf("from: %w", err)
	}
	if r.to, err = parseMoment(values.Get("to")); err != nil {
		return r, fmt.Errorf("to: %w", err)
	}
	if r.name = values.Get("range"); !r.from.IsZero() || !r.to.IsZero() {
		if r.name != "" {
			return r, fmt.Errorf("range=%.40q and from or to are two ranges: give one", r.name)
		}
		if !r.from.IsZero() && !r.to.IsZero() && !r.from.Before(r.to) {
			return r, errFromAfterTo
		}
		return r, nil
	}
	if r.name == "" {
		r.name = namedRanges[0].name
	}
	for _, n := range namedRanges {
		if n.name == r.name {
			return r, nil
		}
	}
	return r, fmt.Errorf("there is no range=%.40q: there is 24h, 7d and 30d, or from and to", r.name)
}

// moments returns the bounds of a range at a time. The range begins with the peer's account at the earliest.
func (r pastRange) moments(opened, now time.Time) (from, to time.Time) {
	from, to = r.from, r.to
	for _, n := range namedRanges {
		if n.name == r.name {
			from = now.Add(-n.length)
		}
	}
	if to.IsZero() {
		to = now
	}
	if from.Before(opened) && opened.Before(to) {
		from = opened
	}
	return from, to
}

// encode returns the range as a part of a query.
func (r pastRange) encode() string {
	values := url.Values{}
	if r.name != "" {
		values.Set("range", r.name)
	}
	if !r.from.IsZero() {
		values.Set("from", formInput(r.from))
	}
	if !r.to.IsZero() {
		values.Set("to", formInput(r.to))
	}
	return values.Encode()
}

// pastKey names a reading of a peer's past.
type pastKey struct {
	account accounts.PeerAccount
	when    pastRange
}
