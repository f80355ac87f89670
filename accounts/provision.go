package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/ledger"
)

// Provision makes sure that the ledger holds the accounts of our assets and of
// these peers, and grants each peer its credit line. It returns the peers'
// handles, in order.
//
// It is idempotent and may run in any number of processes at once: what is there
// already stays. Thousands of peers take few requests (four accounts and one
// grant a peer, up to 8189 of each kind in a request). A line is granted only
// where none was ever granted before; later changes of it are not undone. No line is
// granted to a peer whose accounts, or whose asset's, are not as they should be: an amount
// of an asset with another scale is another amount.
//
// The ledger has no peer yet under an id that is refused here for its look: one that is not in
// Unicode's normal form C, or begins or ends with white space. See Lookalikes for those that
// differ by case.
//
// Errors: one that matches ErrInvalid or ErrUnknownAsset names the peer and the
// field, and nothing was written; so does a *DriftError (ErrDrift) without handles, for an
// asset that the ledger has with another scale or code, or under another number (CheckAssets). A *DriftError with handles lists
// every field in which the ledger differs, and a *ledger.TransferError names a peer whose grant
// the ledger refused (a closed account, say); with these two the handles are
// returned, and everything else was done. Any other error is that of a request:
// the outcome is as the error says, and Provision may be called again.
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

// refuseOtherAssets finds the assets that the ledger has otherwise, before anything is
// written. It also says how the accounts of the peers differ that are there already.
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

// provisionChecked provisions peers that are checked, in assets that are not known to be otherwise
// in the ledger. done says that the errors are about single peers.
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
	drifted := make(map[PeerAccount]bool, len(drifts)) // of peers, and of ourselves in an asset
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

// checkPeers finds what is wrong with peers before anything is written, and works out their
// handles and the credit lines that they should have.
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

// creditLineFor is the credit line that a peer should have: its own, or that of Config.Limits.
func (b *Book) creditLineFor(p PeerConfig, handle PeerAccount) (ledger.Amount, error) {
	if !p.CreditLine.IsZero() {
		return p.CreditLine, b.checkCeiling(handle, p.CreditLine)
	}
	allowed, err := b.EffectiveLimits(handle)
	return allowed.CreditLine, err
}

// ProvisionAll provisions any number of peers, some 2,000 at a time, in three requests,
// and gives their handles in order; it keeps no more than that many. What is written when
// the loop is left stays.
//
// Errors are given in between, each with the zero Account: a *DriftError or
// *ledger.TransferError, as Provision has them, is about peers of the chunk whose handles
// follow, and it goes on; any other ends it, and nothing of that chunk was written, or as
// much as the error says. An id that is given twice is refused if both are in a chunk;
// else the second one changes nothing, and another line is reported as drift.
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

// peersPerProvision leaves room for the accounts of a hundred assets, which are provisioned
// with each chunk.
const peersPerProvision = peersPerRequest - 200
