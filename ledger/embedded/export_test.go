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
