package embedded

import (
	"context"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// VerifyFiles reads every byte of the files with cold transfers and their ids, and checks it. [Open]
// and [Read] read only the newest checkpoint and the log. Requests go on meanwhile. It does nothing for
// a ledger in memory.
//
// The error matches [ErrCorrupt] (a [CorruptError]) or [ledger.ErrClosed], or is the file system's or
// the context's.
func (l *Ledger) VerifyFiles(ctx context.Context) error {
	cold, done, err := l.useCold()
	if err != nil {
		return err
	}
	defer done()
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

// useCold returns the cold store of this moment, whose files stay open until done is called.
func (l *Ledger) useCold() (cold coldStore, done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return coldStore{}, nil, ledger.ErrClosed
	}
	l.reading.Add(1)
	cold = l.books.cold
	cold.segments = slices.Clip(cold.segments)
	return cold, l.reading.Done, nil
}
