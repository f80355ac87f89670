package operatorlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

var testEntry = Entry{Who: "ann", Via: "command", Action: "set the credit line", Peer: "alice"}

func openTestLog(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// The lines have the fields that are promised, and the second line has all of the first one.
func TestLinesOfAnAct(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	l := openTestLog(t, path)
	begun := time.Date(2026, 12, 1, 10, 0, 0, 5, time.FixedZone("", 3600))
	act, err := l.Begin(Entry{
		ID: "not this one", Time: begun, Who: "root (sudo by ann)", Via: "console", Action: "set the credit line", Peer: "alice\n<", Asset: "USD/2", Amount: "1.00",
		Before: "2.00", After: "3.00", Reason: 7, ReasonName: "fraud", Key: "k", Order: "o", Note: "n", Outcome: Written, Transfer: "no", Error: "no", EndedAt: begun,
	})
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{32}$", act.ID())
	first := `{"json":1,"id":"` + act.ID() + `","time":"2026-12-01T09:00:00.000000005Z","who":"root (sudo by ann)","via":"console","action":"set the credit line","peer":"alice\n\u003c","asset":"USD/2","amount":"1.00","before":"2.00","after":"3.00","reason":7,"reason_name":"fraud","key":"k","order":"o","note":"n"`
	require.Equal(t, first+"}\n", readText(t, path))

	require.ErrorIs(t, act.End("fine", "", nil), ErrInvalid)
	require.NoError(t, act.End(Refused, "t", errors.New("no headroom")))
	require.ErrorIs(t, act.End(Written, "", nil), ErrEnded)
	lines := strings.SplitAfter(readText(t, path), "\n")
	require.Len(t, lines, 3)
	require.True(t, strings.HasPrefix(lines[1], first+`,"outcome":"refused","transfer":"t","error":"no headroom","ended_at":"`), lines[1])

	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	e := entries[0]
	require.Equal(t, []any{act.ID(), begun.UTC(), "alice\n<", Refused, "t", "no headroom", uint32(7)}, []any{e.ID, e.Time, e.Peer, e.Outcome, e.Transfer, e.Error, e.Reason})
	require.WithinDuration(t, time.Now(), e.EndedAt, time.Minute)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// What cannot be written is refused before the act.
func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "j.jsonl")
	l := openTestLog(t, path)
	for _, e := range []Entry{{Via: "command", Action: "a"}, {Who: "ann", Action: "a"}, {Who: "ann", Via: "command"}} {
		_, err := l.Begin(e)
		require.ErrorIs(t, err, ErrInvalid)
	}
	large := testEntry
	large.Note = strings.Repeat("x", maxLine/2)
	_, err := l.Begin(large)
	require.ErrorIs(t, err, ErrInvalid)
	require.Empty(t, readText(t, path))

	act, err := l.Begin(testEntry)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = l.Begin(testEntry)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, act.End(Written, "", nil), "an act ends after Close")

	_, err = Open(filepath.Join(folder, "missing", "j.jsonl"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, func() error { _, err := Open(folder); return err }(), "a folder")
	_, err = Read(t.Context(), filepath.Join(folder, "none"), Filter{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// The longest second line of the longest first line can be read.
func TestLongestLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	l := openTestLog(t, path)
	e := testEntry
	e.Note = strings.Repeat("x", maxLine/2-300)
	act, err := l.Begin(e)
	require.NoError(t, err)
	require.NoError(t, act.End(Failed, strings.Repeat("\x01", maxLine), errors.New(strings.Repeat("\x01", maxLine))))
	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, []any{Failed, e.Note, maxText + len(" ...")}, []any{entries[0].Outcome, entries[0].Note, len(entries[0].Error)})
}

// A journal that was moved away goes on in a new file, and the end of an act there has the whole act.
func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	l := openTestLog(t, path)
	act, err := l.Begin(testEntry)
	require.NoError(t, err)
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, act.End(Written, "", nil))
	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Equal(t, []any{1, "alice", Written}, []any{len(entries), entries[0].Peer, entries[0].Outcome})
	entries, err = Read(t.Context(), path+".1", Filter{})
	require.NoError(t, err)
	require.Equal(t, []any{1, "alice", Unknown, MissingEnd}, []any{len(entries), entries[0].Peer, entries[0].Outcome, entries[0].Error})
}

// A process that stays in the lock is named, and nothing is written.
func TestBusyLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	l := openTestLog(t, path)
	other := flock.New(path + ".lock")
	require.NoError(t, other.Lock())
	synctest.Test(t, func(t *testing.T) {
		_, err := l.Begin(testEntry)
		require.ErrorIs(t, err, ErrBusy)
		require.ErrorContains(t, err, path+".lock")
		_, err = Read(t.Context(), path, Filter{})
		require.ErrorIs(t, err, ErrBusy)
	})
	require.NoError(t, other.Unlock())
	require.Empty(t, readText(t, path))
	act, err := l.Begin(testEntry)
	require.NoError(t, err)
	require.NoError(t, act.End(Written, "", nil))
}

// Amend changes the second line alone, and never whose act it is. Texts too long for a line are left out.
func TestAmend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	l := openTestLog(t, path)
	for _, test := range []struct{ note, want string }{{"n", "n"}, {strings.Repeat("x", maxLine), ""}} {
		act, err := l.Begin(testEntry)
		require.NoError(t, err)
		act.Amend(func(e *Entry) { *e = Entry{Who: "eve", Via: "console", Action: "a", Amount: "5", Note: test.note} })
		require.NoError(t, act.End(Written, "", nil))
		entries, err := Read(t.Context(), path, Filter{Limit: 1})
		require.NoError(t, err)
		e := entries[0]
		require.Equal(t, []string{act.ID(), "ann", "command", "a", "5", test.want}, []string{e.ID, e.Who, e.Via, e.Action, e.Amount, e.Note})
		require.False(t, e.Time.IsZero())
	}
}
