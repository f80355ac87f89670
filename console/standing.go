package console

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
)

// readStanding reads since when the peer of a balance is suspended, closed or in arrears. An active peer without
// arrears costs no request.
func (c *Console) readStanding(ctx context.Context, b *accounts.Balance) (accounts.Standing, error) {
	if !b.Suspended && !b.Closed && b.Arrears.IsZero() {
		return accounts.Standing{}, nil
	}
	standings, err := c.cfg.Book.Standings(ctx, b.Account)
	if err != nil {
		return accounts.Standing{}, err
	}
	return standings[0], nil
}

// standingView says since when a peer is suspended or closed, and why, as text.
type standingView struct {
	Suspended, Closed bool
	SuspendedSince    string
	ClosedSince       string
	ByClosing         bool // a closing of the peer suspended it
	Reason            string
	Error             string // why the times are unknown
}

// viewStanding writes the standing of a peer, whose newest balance is known.
func (c *Console) viewStanding(p *peer, d *detail) standingView {
	v := standingView{Suspended: p.Balance.Suspended, Closed: p.Balance.Closed, SuspendedSince: unknown, ClosedSince: unknown}
	if d.standingErr != nil {
		v.Error = d.standingErr.Error()
		return v
	}
	s := &d.standing
	if !s.SuspendedSince.IsZero() {
		v.SuspendedSince = formatTime(s.SuspendedSince)
	}
	if !s.ClosedSince.IsZero() {
		v.ClosedSince = formatTime(s.ClosedSince)
	}
	v.ByClosing, v.Reason = s.SuspendedByClosing, c.nameReason(s.ReasonCode)
	return v
}
