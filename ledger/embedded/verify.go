package embedded

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
)

// VerifyFiles reads every byte of the files with cold transfers and their ids, and checks it. [Open]
// and [Read] read only the newest checkpoint and the log. Requests go on meanwhile. It does nothing for
// a ledger in memory.
//
// The error matches [ErrCorrupt] (a [CorruptError]) or [ledger.ErrClosed], or is the file system's or
// the context's.
func (l *Ledger) VerifyFiles(ctx context.Context) error {
	cold, err := l.lendColdNow()
	if err != nil {
		return err
	}
	defer cold.release()
	if cold.index != nil {
		if err := cold.index.VerifyFiles(ctx); err != nil {
			return translateReadError(err)
		}
	}
	for _, s := range cold.segments {
		if err := s.VerifyFile(ctx); err != nil {
			return translateReadError(err)
		}
	}
	return nil
}

// lendColdNow locks the ledger for lendCold.
func (l *Ledger) lendColdNow() (*coldView, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ledger.ErrClosed
	}
	return l.lendCold(), nil
}
