package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/ledger"
)

// Provision creates the missing accounts of our assets and of the peers, and grants each peer its
// credit line. It returns the peers' handles, in order.
//
// It is idempotent, may run in any number of processes at once, and leaves existing accounts
// unchanged. Thousands of peers take few requests (four accounts and one grant a peer, up to 8189
// of each kind in a request). A line is granted only to a peer without a grant so far; later
// changes of the line are not undone. No line is granted if an account of the peer or of its
// asset differs: an amount of an asset with a different scale is a different amount.
//
// A new peer's id must be in Unicode's normal form C, without white space at either end. See
// [Lookalikes] for ids that differ by case.
//
// Errors without handles; nothing was written:
//   - [ErrInvalid] or [ErrUnknownAsset], naming the peer and the field;
//   - *[DriftError] ([ErrDrift]) for an asset that the ledger has with a different scale or code, or
//     under a different number (see [Book.CheckAssets]).
//
// Errors with handles; everything else was done:
//   - *[DriftError] with every field in which the ledger differs;
//   - *[ledger.TransferError] for a peer whose grant the ledger refused, because of a closed account,
//     for example.
//
// All further errors are of requests: the outcome is as the error says, and Provision may be
// called again.
func (b *Book) Provision(ctx context.Context, peers ...PeerConfig) ([]PeerAccount, error) {
	handles, lines, err := b.checkPeers(peers)
	if err != nil {
		return nil, err
	}
	if err := b.refuseOtherAssets(ctx, peers, handles, lines); err != nil {
		return nil, err
	}
	if err := b.checkNewIDs(ctx, peers, handles); err != nil {
		return nil, err
	}
	done, err := b.provisionChecked(ctx, peers, handles, lines)
	if !done {
		return nil, err
	}
	b.reportProgress("provision peers", len(handles), len(peers))
	return handles, err
}

// refuseOtherAssets checks that the ledger has no asset in a different form, before anything is
// written. With a differing asset, the error also lists the drifts of the peers' existing
// accounts.
func (b *Book) refuseOtherAssets(ctx context.Context, peers []PeerConfig, handles []PeerAccount, lines []ledger.Amount) error {
	rows, err := b.liquidityAccounts(ctx)
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	if !b.hasOtherAssets(rows) {
		return nil
	}
	expected := b.assetAccounts()
	requests := make([]lineRequest, len(peers))
	for i, p := range peers {
		expected = append(expected, b.peerAccounts(p, handles[i])...)
		requests[i] = lineRequest{account: handles[i], want: lines[i]}
	}
	drifts, err := b.findDrift(ctx, expected)
	if err != nil {
		return err
	}
	lineDrifts, err := b.compareLines(ctx, requests)
	drifts = append(append(b.findMovedAssets(rows), drifts...), lineDrifts...)
	return errors.Join(fmt.Errorf("nothing was provisioned: %w", &DriftError{Drifts: drifts}), err)
}

// provisionChecked provisions checked peers. done is true if the errors are about single peers.
func (b *Book) provisionChecked(ctx context.Context, peers []PeerConfig, handles []PeerAccount, lines []ledger.Amount) (done bool, err error) {
	accounts := b.assetAccounts()
	firstPeer := len(accounts)
	for i, p := range peers {
		accounts = append(accounts, b.peerAccounts(p, handles[i])...)
	}
	created, drifts, err := b.createAccounts(ctx, accounts)
	if err != nil {
		return false, err
	}
	drifted := make(map[PeerAccount]bool, len(drifts)) // of peers, and of our own accounts
	for _, d := range drifts {
		drifted[d.Account] = true
	}
	requests := make([]lineRequest, len(peers))
	for i := range peers {
		own := PeerAccount{id: b.assets[handles[i].ledger].ids.Liquidity, ledger: handles[i].ledger}
		requests[i] = lineRequest{
			account: handles[i], want: lines[i], neverGranted: created[firstPeer+i*accountsPerPeer+1],
			drifted: drifted[handles[i]] || drifted[own],
		}
	}
	lineDrifts, refused, failed := b.grantLines(ctx, requests)
	err = errors.Join(refused, failed)
	if drifts = append(drifts, lineDrifts...); len(drifts) > 0 {
		err = errors.Join(&DriftError{Drifts: drifts}, err)
	}
	return failed == nil, err
}

// checkPeers checks peers before anything is written, and computes their handles and credit
// lines.
func (b *Book) checkPeers(peers []PeerConfig) ([]PeerAccount, []ledger.Amount, error) {
	handles := make([]PeerAccount, len(peers))
	lines := make([]ledger.Amount, len(peers))
	seen := make(map[PeerAccount]bool, len(peers))
	for i, p := range peers {
		if err := b.checkConfig(p); err != nil {
			return nil, nil, err
		}
		handles[i] = b.peerHandle(p)
		if seen[handles[i]] {
			return nil, nil, &FieldError{
				Subject: fmt.Sprintf("peer %q in %v", p.ID, p.Asset), Field: "ID", Reason: "is given twice",
			}
		}
		seen[handles[i]] = true
		line, err := b.creditLineFor(p, handles[i])
		if err != nil {
			return nil, nil, err
		}
		lines[i] = line
	}
	return handles, lines, nil
}

// creditLineFor returns the credit line for a peer: its own, or the one of Config.Limits.
func (b *Book) creditLineFor(p PeerConfig, handle PeerAccount) (ledger.Amount, error) {
	if !p.CreditLine.IsZero() {
		return p.CreditLine, b.checkCeiling(handle, p.CreditLine)
	}
	allowed, err := b.EffectiveLimits(handle)
	return allowed.CreditLine, err
}

// ProvisionAll provisions any number of peers, some 2,000 at a time with three requests, and
// yields their handles in order. It keeps only the current chunk in memory. Chunks already
// written stay if the caller ends the iteration.
//
// An error comes with the zero PeerAccount. A *[DriftError] or *[ledger.TransferError], as of
// [Book.Provision], is about peers of the chunk whose handles follow, and the iteration
// continues. Every other error ends it: nothing of the chunk was written, or as much as the error
// says. An id given twice is refused within a chunk. In a later chunk it changes nothing, and a
// different line is reported as drift.
func (b *Book) ProvisionAll(ctx context.Context, peers iter.Seq[PeerConfig]) iter.Seq2[PeerAccount, error] {
	return func(yield func(PeerAccount, error) bool) {
		done := 0
		if err := b.refuseOtherAssets(ctx, nil, nil, nil); err != nil {
			yield(PeerAccount{}, err)
			return
		}
		for chunk := range collectChunks(peers, peersPerProvision) {
			handles, lines, err := b.checkPeers(chunk)
			written := false
			if err == nil {
				err = b.checkNewIDs(ctx, chunk, handles)
			}
			if err == nil {
				written, err = b.provisionChecked(ctx, chunk, handles, lines)
			}
			if err != nil && !yield(PeerAccount{}, err) || !written {
				return
			}
			done += len(handles)
			b.reportProgress("provision peers", done, 0)
			for _, a := range handles {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
}

// peersPerProvision leaves space in a request for the accounts of a hundred assets, provisioned
// with each chunk.
const peersPerProvision = peersPerRequest - 200
