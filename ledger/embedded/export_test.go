package embedded

// WithCheckpointEvery makes a ledger in a folder write checkpoints far too often, so that tests see
// many.
func WithCheckpointEvery(bytes int64) Option { return func(l *Ledger) { l.checkpointMin = bytes } }

// WaitForCheckpoint waits for a running checkpoint.
func (l *Ledger) WaitForCheckpoint() { l.journal.checkpoints.running.Wait() }
