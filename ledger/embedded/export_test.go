package embedded

// WithCheckpointEvery makes a ledger in a folder write checkpoints far more often
// than pays, so that tests see many.
func WithCheckpointEvery(bytes int64) Option { return func(l *Ledger) { l.checkpointMin = bytes } }

// WaitForCheckpoint waits for a checkpoint that is being written.
func (l *Ledger) WaitForCheckpoint() { l.journal.checkpoints.running.Wait() }
