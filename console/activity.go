package console

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

const (
	// maxActivityEntries is the number of entries of a statement in which a page looks for payments and changes: a
	// busy peer has millions of packets between them.
	maxActivityEntries = 10_000
	// maxActivityRows is the number of payments and changes on the page.
	maxActivityRows = 100
)

// errTooManyPackets is the reason of an activity that is unknown.
var errTooManyPackets = errors.New("the end of the range has more than 10,000 entries: choose a shorter range, or download the statement")

// activity has the payments and changes of a range that are no packets.
type activity struct {
	entries []accounts.Entry // the oldest first, at most maxActivityRows
	more    bool             // older ones are left out
	from    time.Time        // the begin of the part that was read
}

// readActivity reads the payments of a peer, the changes of its line and corrections by hand from its statement. If
// the range has more than maxActivityEntries entries, its last day is read, and if that has more, its last hour.
func (c *Console) readActivity(ctx context.Context, account accounts.PeerAccount, asset accounts.Asset, from, to time.Time) (found activity, err error) {
	for _, last := range []time.Duration{to.Sub(from), 24 * time.Hour, time.Hour} {
		if last > to.Sub(from) {
			continue
		}
		q := statementQuery{account: account, asset: asset, from: to.Add(-last), to: to}
		var isWhole bool
		if found, isWhole, err = c.readActivityIn(ctx, q); err != nil || isWhole {
			return found, err
		}
	}
	return activity{}, errTooManyPackets
}

// readActivityIn reads the payments and changes in a range. isWhole is false if the range has too many entries.
func (c *Console) readActivityIn(ctx context.Context, q statementQuery) (found activity, isWhole bool, err error) {
	s, err := c.openStatement(ctx, q)
	if err != nil {
		return activity{}, false, err
	}
	found.from = q.from
	count := 0
	for e, err := range s.Entries(ctx) {
		if err != nil {
			return activity{}, false, err
		}
		if count++; count > maxActivityEntries {
			return activity{}, false, nil
		}
		if isActivity(&e) {
			found.entries = append(found.entries, e)
		}
	}
	if n := len(found.entries); n > maxActivityRows {
		found.entries, found.more = slices.Clone(found.entries[n-maxActivityRows:]), true
	}
	return found, true, nil
}

// isActivity reports whether an entry is a payment or a change by an operator, and no packet.
func isActivity(e *accounts.Entry) bool {
	switch e.Kind {
	case accounts.EntrySettlement, accounts.EntryByHand, accounts.EntryReturned, accounts.EntryWriteOff, accounts.EntryCreditLine, accounts.EntryFunding, accounts.EntryOther:
		return true
	case accounts.EntryCorrection:
		return !e.Late
	case accounts.EntryPacket, accounts.EntryFee, accounts.EntryConversion, accounts.EntryDust, accounts.EntryRound, accounts.EntryHold:
		return false
	default:
		return true // an unknown kind is shown
	}
}

// activityView is a payment or a change as text.
type activityView struct {
	entryView

	Direction, Reason string
}

func (c *Console) viewActivity(view *pastView, a accounts.Asset, v *past) {
	if v.activityErr != nil {
		view.ActivityError = v.activityErr.Error()
		return
	}
	if view.ActivityMore = v.activity.more; v.activity.from.After(v.from) {
		view.ActivitySince = formatTime(v.activity.from)
	}
	for _, e := range slices.Backward(v.activity.entries) {
		view.Activity = append(view.Activity, activityView{entryView: viewEntry(a, &e), Direction: string(e.Direction), Reason: c.nameReason(e.ReasonCode)})
	}
}

// nameReason returns a reason's number with its name; "" for no reason.
func (c *Console) nameReason(number uint32) string {
	if number == 0 {
		return ""
	}
	text := strconv.FormatUint(uint64(number), 10)
	for name, of := range c.cfg.Reasons {
		if of == number {
			return name + " (" + text + ")"
		}
	}
	return text
}
