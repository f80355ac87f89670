package accounts

import (
	"context"
	"iter"

	"github.com/peerledger/peerledger/ledger"
)

// Progress is how far something long has come.
type Progress struct {
	Phase string // e.g. "provision peers"
	Done  int    // peers, accounts or assets
	Total int    // 0 if it is not known
}

// reportProgress tells of progress.
func (b *Book) reportProgress(phase string, done, total int) {
	if b.progress != nil {
		b.progress(Progress{Phase: phase, Done: done, Total: total})
	}
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

// AllBalances reads the balances of any number of peers, some 2,000 in a request, and
// gives them in order; it keeps no more than that many. Those of one request are of one
// moment. The last pair has the error, if something goes wrong: those of Balances.
func (b *Book) AllBalances(ctx context.Context, accounts iter.Seq[PeerAccount]) iter.Seq2[Balance, error] {
	return func(yield func(Balance, error) bool) {
		done := 0
		for chunk := range collectChunks(accounts, (ledger.BatchMax-len(b.assets))/accountsPerPeer) {
			balances, err := b.Balances(ctx, chunk...)
			if err != nil {
				yield(Balance{}, err)
				return
			}
			done += len(balances)
			b.reportProgress("read balances", done, 0)
			for _, balance := range balances {
				if !yield(balance, nil) {
					return
				}
			}
		}
	}
}

// collectChunks gives what a sequence has in slices of up to size, each of which may be
// used until the next.
func collectChunks[T any](items iter.Seq[T], size int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		chunk := make([]T, 0, size)
		for v := range items {
			if chunk = append(chunk, v); len(chunk) == size {
				if !yield(chunk) {
					return
				}
				chunk = chunk[:0]
			}
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}
