package backup

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// When no attempt succeeds, the error names each cause with its folder, its number of attempts and the next step.
func TestCausesOfFailedAttempts(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, singly), newLoad()
	u.recordPacket(t, r, 1, true)
	_, attempts, err := r.createBetween(t.Context(), func(attempt int) {
		if attempt <= 2 {
			r.restart(t) // writes a checkpoint
			return
		}
		unknown := transfers.Packet{ID: ledger.NewID(uint64(attempt)<<8, 1), From: r.alice, To: r.bob, In: 1, Out: 1, Expiry: time.Now().Add(50 * time.Second)}
		_, err := r.recorder.Fulfill(t.Context(), unknown)
		require.ErrorIs(t, err, transfers.ErrUnknownPacket)
	})
	require.ErrorIs(t, err, ErrInUse)
	require.Equal(t, maxTries, attempts)
	require.ErrorContains(t, err, r.journal+": its program wrote a checkpoint during 2 of them: repeat the backup when fewer packets come: checkpoints are then rarer; "+
		r.journal+": its program wrote a refusal of a fulfill during 98 of them: repeat the backup when the ledger refuses fewer fulfills; or give --stop and --start")
	r.stop(t)
}

// A copy of a ledger alone names the ledger's checkpoints as the cause.
func TestCheckpointDuringAnAttempt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, _, err := wal.Open(dir, nil)
	require.NoError(t, err)
	s := &source{path: dir}
	list := func() ([]string, error) { return nil, log.Checkpoint().Commit(t.Context()) }
	for range 2 {
		require.NoError(t, s.openLive(t.Context()))
		m, err := s.openOthers(t.Context(), list)
		require.NoError(t, err)
		require.Equal(t, misfit{dir, checkpointWritten}, m)
	}
	require.NoError(t, errors.Join(s.close(), log.Close()))
}

// The end of the context ends a backup between the two moments, and verify --live.
func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, singly), newLoad()
	u.recordPacket(t, r, 1, true)
	reason := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, attempts, err := r.createBetween(ctx, func(int) { cancel(reason) })
	require.ErrorIs(t, err, reason)
	require.Equal(t, 1, attempts)
	require.Empty(t, listLeftovers(t, r.backups))
	require.ErrorIs(t, copyLive(ctx, r.ledger, t.TempDir()), reason)
	r.stop(t)
}

// A running journal of a format that this program does not know is refused, and not taken for another one.
func TestUnknownFormatOfARunningJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ledgerFolder, journal := filepath.Join(dir, "ledger"), filepath.Join(dir, "journal")
	l, err := embedded.Open(ledgerFolder)
	require.NoError(t, err)
	log, _, err := wal.OpenFormat(journal, wal.Format{Name: "of tomorrow", Newest: 3}, nil)
	require.NoError(t, err)
	_, err = Create(t.Context(), Options{Ledger: ledgerFolder, Journal: journal, Folder: filepath.Join(dir, "backups")})
	require.ErrorIs(t, err, wal.ErrVersion)
	require.ErrorContains(t, err, journal)
	require.NoError(t, errors.Join(log.Close(), l.Close()))
}
