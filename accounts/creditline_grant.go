package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// lineRequest is the credit line to provision for a peer.
type lineRequest struct {
	account      PeerAccount
	want         ledger.Amount
	neverGranted bool // no grant and no revocation so far
	drifted      bool // an account of the peer differs, so nothing is granted
}

// grantLines grants the lines of peers without a grant so far, and compares the lines granted
// before. refused has the refusals for single peers, one *[ledger.TransferError] each; the drifts
// are valid besides. err is the error of a request: grants of the remaining peers may be missing
// then.
//
// A change of a line is row n of a sequence (its id is derived from the line account and n). The
// grant of provisioning is row 1. Of two processes that provision a peer at once, one writes row
// 1, and the other finds it taken and compares.
func (b *Book) grantLines(ctx context.Context, lines []lineRequest) (drifts []Drift, refused, err error) {
	lines, drifts, err = b.selectUngranted(ctx, lines)
	if err != nil {
		return nil, nil, err
	}
	nonce := newNonce()
	grants := make([]ledger.Transfer, len(lines))
	for i, l := range lines {
		grants[i] = b.grantTransfer(l, 1, nonce)
	}
	results, err := batch.Each(ctx, grants, 1, b.ledger.CreateTransfers)
	if err != nil {
		return nil, nil, fmt.Errorf("grant credit lines: %w", err)
	}
	var taken []lineRequest
	var refusals, failures []error
	for i, r := range results {
		err := b.finishGrant(ctx, lines[i], &grants[i], r.Status)
		if err == nil {
			continue
		}
		named := fmt.Errorf("grant the credit line of %v: %w", lines[i].account, err)
		var refusal *ledger.TransferError
		switch {
		case errors.Is(err, sequence.ErrTaken):
			taken = append(taken, lines[i])
		case errors.As(err, &refusal):
			refusals = append(refusals, named)
		default:
			failures = append(failures, named)
		}
	}
	takenDrifts, err := b.compareLines(ctx, taken)
	return append(drifts, takenDrifts...), errors.Join(refusals...), errors.Join(append(failures, err)...)
}

// finishGrant handles the answer to the first row of a line. If the row's id is burnt by an
// earlier refusal, the next number is used. sequence.ErrTaken means that the line is already
// granted.
func (b *Book) finishGrant(ctx context.Context, l lineRequest, row *ledger.Transfer, status ledger.CreateTransferStatus) error {
	switch {
	case status.Outcome().Done():
		return nil
	case status.Conflict():
		return sequence.ErrTaken
	case status == ledger.TransferIDAlreadyFailed:
		_, err := sequence.Place(ctx, b.ledger, row.UserData64+1, func(n uint64) ledger.Transfer {
			return b.grantTransfer(l, n, row.UserData128)
		})
		return err
	default:
		return &ledger.TransferError{ID: row.ID, Status: status}
	}
}

// selectUngranted selects the lines to grant, and compares the remaining ones.
func (b *Book) selectUngranted(ctx context.Context, lines []lineRequest) ([]lineRequest, []Drift, error) {
	var grant, known []lineRequest
	for _, l := range lines {
		switch {
		case !l.neverGranted || l.drifted:
			known = append(known, l)
		case !l.want.IsZero():
			grant = append(grant, l)
		}
	}
	stored, err := b.lineAccounts(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	var drifts []Drift
	for i, l := range known {
		if stored[i].DebitsPosted.IsZero() && !l.want.IsZero() && !l.drifted {
			grant = append(grant, l)
			continue
		}
		drifts = append(drifts, b.compareLine(l, &stored[i])...)
	}
	return grant, drifts, nil
}

func (b *Book) compareLines(ctx context.Context, lines []lineRequest) ([]Drift, error) {
	stored, err := b.lineAccounts(ctx, lines)
	if err != nil {
		return nil, err
	}
	var drifts []Drift
	for i, l := range lines {
		drifts = append(drifts, b.compareLine(l, &stored[i])...)
	}
	return drifts, nil
}

// compareLine compares an existing line. The scale is the stored account's, possibly different
// from the Book's.
func (b *Book) compareLine(l lineRequest, stored *ledger.Account) []Drift {
	current := lineOf(stored)
	if current == l.want || stored.ID.IsZero() {
		return nil
	}
	asset := b.assets[l.account.ledger].asset
	if stored.UserData32 != uint32(asset.Scale) { // whole units of the two scales differ
		asset = Asset{}
	}
	return []Drift{{
		Account: l.account, AccountKind: "line", Field: "credit_line", Want: asset.Text(l.want), Got: asset.Text(current),
	}}
}

func (b *Book) lineAccounts(ctx context.Context, lines []lineRequest) ([]ledger.Account, error) {
	ids := make([]ledger.ID, len(lines))
	for i, l := range lines {
		ids[i] = b.PeerIDs(l.account).Line
	}
	byID, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return nil, fmt.Errorf("look up credit lines: %w", err)
	}
	stored := make([]ledger.Account, len(ids))
	for i, id := range ids {
		stored[i] = byID[id]
	}
	return stored, nil
}
