package packetlog

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// atErr runs a function at the first look at the context's error.
type atErr struct {
	context.Context
	do func()
}

func (c *atErr) Err() error {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	return c.Context.Err()
}

// A recorder archives its log between two steps of a reader: after the archive was listed, and while the log is
// read. The reader has each packet, in the archive or in the log.
func TestArchivedBetweenTheSteps(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	log, _, err := wal.OpenFormat(folder, JournalFormat, func(wal.Record) error { return nil })
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	add := func(kind uint8, data []byte) {
		log.Append(kind, len(data), func(b []byte) []byte { return append(b, data...) })
	}
	number := uint64(0)
	addPacket := func() {
		number++
		add(KindParty, AppendParty(nil, 0, Party{Ledger: 1, Peer: "alice"}))
		add(KindFulfill, AppendPacket(nil, &Packet{Number: number, ResolvedAt: int64(number), ID: ledger.NewID(number, 1)}, 0, 0))
		require.NoError(t, log.Wait(t.Context(), log.Appended()))
	}
	archive := func() {
		c := log.Checkpoint()
		w, err := CreateArchive(filepath.Join(folder, ArchiveFolder), 1, c.Number())
		require.NoError(t, err)
		require.NoError(t, c.ReadLog(t.Context(), JournalFormat, func(r wal.Record) error { return w.AddRecord(r.Kind, r.Data) }))
		require.NoError(t, w.Commit())
		require.NoError(t, c.Append(KindOwner, binary.BigEndian.AppendUint64(nil, 1)))
		require.NoError(t, c.Commit(t.Context()))
	}
	add(KindOwner, binary.BigEndian.AppendUint64(nil, 1))
	addPacket()
	archive()
	addPacket()
	r, err := NewReader(folder)
	require.NoError(t, err)
	defer r.Close()
	c, err := r.readContent(t.Context(), func(*Packet) bool { return true }, func(*summary) bool {
		archive()
		return false
	})
	require.NoError(t, err)
	require.Empty(t, c.packets)
	require.Len(t, c.archives, 2)

	addPacket()
	found := 0
	ctx := &atErr{t.Context(), archive}
	require.NoError(t, r.Search(ctx, Query{}, func(p *Packet) error {
		found++
		require.EqualValues(t, found, p.Number)
		return nil
	}))
	require.Nil(t, ctx.do)
	require.Equal(t, 3, found, "the last packet was in the log and in the archive")
}
