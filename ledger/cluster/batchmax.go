//go:build cgo

package cluster

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// BatchMax returns how many events a create request may carry on this cluster, as [Open] learnt
// it: [ledger.BatchMax], or fewer on servers with smaller requests (253 with --development). A
// larger request is refused with [ledger.ErrTooMuchData] before it is sent.
func (l *Ledger) BatchMax() int { return l.createLimit.Max() }

// learnBatchMax finds out how large a create request may be. The native client does not tell its
// limit, but refuses larger requests by itself. Smaller requests are sent: their transfers have no
// id, so the cluster refuses them and stores nothing. Usually one request suffices, or two small
// ones.
func (l *Ledger) learnBatchMax(ctx context.Context) error {
	return l.createLimit.Find(func(events int) (bool, error) {
		_, err := l.createTransfers(ctx, make([]ledger.Transfer, events))
		if errors.Is(err, ledger.ErrTooMuchData) {
			return false, nil
		}
		return err == nil, err
	})
}
