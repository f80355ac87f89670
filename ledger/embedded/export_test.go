package embedded

import "github.com/peerledger/peerledger/internal/sealed"

// WithCheckpointEvery makes a ledger in a folder write checkpoints far too often, so that tests see
// many. It keeps few segments open, so that tests open them again.
func WithCheckpointEvery(bytes int64) Option {
	return func(l *Ledger) {
		l.checkpointMin = bytes
		l.books.cold.files = sealed.NewFileCache(2)
	}
}

// WaitForCheckpoint waits for a running checkpoint.
func (l *Ledger) WaitForCheckpoint() { l.journal.checkpoints.running.Wait() }

// WithFirstPosition makes the first transfer of a folder have a position near a border, which a test
// could not reach otherwise. It counts until there is a checkpoint, which must have a transfer.
func WithFirstPosition(first uint64) Option {
	return func(l *Ledger) { l.books.hot.first = position(first) }
}

// TransferEnd returns the position behind the newest transfer.
func (l *Ledger) TransferEnd() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(l.books.transferEnd())
}
