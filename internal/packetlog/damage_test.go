package packetlog_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
)

// answers are what searches of one file find: together they read each byte of it.
type answers struct {
	all, byID, byCondition, byPeer []packetlog.Packet
	rounds                         []packetlog.Round
}

// ask returns what an undamaged file has, or what each search finds, and the errors.
func ask(tb testing.TB, folder string, p *packetlog.Packet) (a answers, errs []error) {
	tb.Helper()
	r, err := packetlog.NewReader(folder)
	require.NoError(tb, err)
	defer r.Close()
	find := func(q packetlog.Query) (found []packetlog.Packet) {
		err := r.Search(tb.Context(), q, func(p *packetlog.Packet) error {
			found = append(found, *p)
			return nil
		})
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		return found
	}
	a.all = find(packetlog.Query{})
	a.byID = find(packetlog.Query{ID: p.ID})
	a.byCondition = find(packetlog.Query{Condition: p.Condition[:]})
	a.byPeer = find(packetlog.Query{Peer: p.From.Peer})
	rounds, err := r.Rounds(tb.Context(), 0, math.MaxUint64)
	if err != nil {
		errs = append(errs, err)
	}
	a.rounds = rounds
	return a, errs
}

// requireNoticed requires that at least one search fails, and that the others find what they should.
func requireNoticed(t *testing.T, want, got answers, errs []error, path, damage string) {
	t.Helper()
	if len(errs) == 0 {
		require.FailNow(t, "damage was not noticed", damage)
	}
	for _, err := range errs {
		var archive *packetlog.ArchiveError
		if errors.Is(err, packetlog.ErrArchiveVersion) || errors.As(err, &archive) && archive.File == path && archive.Offset >= 0 {
			continue
		}
		require.FailNow(t, "not an error of the damage", "%s: %v", damage, err)
	}
	for i, pair := range [][2][]packetlog.Packet{{want.all, got.all}, {want.byID, got.byID}, {want.byCondition, got.byCondition}, {want.byPeer, got.byPeer}} {
		if pair[1] != nil && !slices.Equal(pair[0], pair[1]) {
			require.FailNow(t, "a wrong answer", "%s, search %d", damage, i)
		}
	}
	if got.rounds != nil && !slices.Equal(want.rounds, got.rounds) {
		require.FailNow(t, "wrong rounds", damage)
	}
}

// makeDamageable returns a journal of one archive file.
func makeDamageable(t *testing.T) (folder, path string, p packetlog.Packet) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.Mkdir(folder, 0o700))
	packets := newTraffic(9, 3).packets(40)
	packets[7].From.Peer = "alice"
	path = writeArchive(t, filepath.Join(folder, packetlog.ArchiveFolder), 3, packets,
		packetlog.Round{Number: 1, Through: 5, Packets: 5, At: 5}, packetlog.Round{Number: 2, Through: 9, Packets: 4, At: 6})
	return folder, path, packets[7]
}

// Each flipped byte of a file is noticed by a search that reads it, and changes no answer of another.
func TestFlippedBytesAreNoticed(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	folder, path, p := makeDamageable(t)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	want, errs := ask(t, folder, &p)
	require.Empty(t, errs)
	require.Len(t, want.all, 40)
	for at := range whole {
		damaged := slices.Clone(whole)
		damaged[at] ^= byte(1 + rng.IntN(255))
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		got, errs := ask(t, folder, &p)
		requireNoticed(t, want, got, errs, path, fmt.Sprintf("seed %d, byte %d is %x in place of %x", seed, at, damaged[at], whole[at]))
	}
}

// A file that was cut at any place, or continued, is refused whole.
func TestTruncationIsNoticed(t *testing.T) {
	t.Parallel()
	folder, path, p := makeDamageable(t)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for length := range len(whole) + 2 {
		if length == len(whole) {
			continue
		}
		require.NoError(t, os.WriteFile(path, append(whole, 0)[:length], 0o600))
		_, err := packetlog.ListArchives(filepath.Dir(path))
		require.ErrorIs(t, err, packetlog.ErrArchiveCorrupt, length)
		if length%16 == 0 {
			_, errs := ask(t, folder, &p)
			require.Len(t, errs, 5)
		}
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	renamed := filepath.Join(filepath.Dir(path), "packets-0000000000000009")
	require.NoError(t, os.Rename(path, renamed))
	_, err = packetlog.ListArchives(filepath.Dir(path))
	require.ErrorContains(t, err, "the file is number 3")
}

func TestNewerArchiveIsRefused(t *testing.T) {
	t.Parallel()
	_, path, _ := makeDamageable(t)
	require.NoError(t, packetlog.WriteNewerVersion(path))
	_, err := packetlog.ListArchives(filepath.Dir(path))
	require.ErrorIs(t, err, packetlog.ErrArchiveVersion)
	require.NotErrorIs(t, err, packetlog.ErrArchiveCorrupt)
	require.ErrorContains(t, err, path+" has version 3, this program reads 1 to 2")
}

// A crash while a file is written leaves any part of it under the name with the suffix. No reader looks
// at it, a file of the same number from before stays, and the next writer replaces both.
func TestCrashWhileWriting(t *testing.T) {
	t.Parallel()
	folder, path, p := makeDamageable(t)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	want, errs := ask(t, folder, &p)
	require.Empty(t, errs)
	for length := 0; length <= len(whole); length += 7 {
		require.NoError(t, os.WriteFile(path+".tmp", whole[:length], 0o600))
		got, errs := ask(t, folder, &p)
		require.Empty(t, errs)
		require.Equal(t, want, got)
	}
	require.NoError(t, os.Remove(path))
	list, err := packetlog.ListArchives(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, list, "only the unfinished file")
	writeArchive(t, filepath.Dir(path), 3, want.all, want.rounds...)
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, again, len(whole))
	got, errs := ask(t, folder, &p)
	require.Empty(t, errs)
	require.Equal(t, want, got)
}

// A writer that is given up, or whose file cannot get its name, leaves no file.
func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	folder, path, p := makeDamageable(t)
	want, _ := ask(t, folder, &p)
	archive := filepath.Dir(path)
	w, err := packetlog.CreateArchive(archive, journalNumber, 3)
	require.NoError(t, err)
	require.NoError(t, w.Add(&p))
	require.NoError(t, w.Discard())
	require.NoFileExists(t, path+".tmp")
	got, errs := ask(t, folder, &p)
	require.Empty(t, errs)
	require.Equal(t, want, got)

	w, err = packetlog.CreateArchive(archive, journalNumber, 4)
	require.NoError(t, err)
	inTheWay := filepath.Join(archive, "packets-0000000000000004")
	require.NoError(t, os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700))
	require.Error(t, w.Commit())
	require.NoError(t, w.Discard())
	require.NoFileExists(t, inTheWay+".tmp")
}
