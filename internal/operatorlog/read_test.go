package operatorlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// At each byte at which a crash can cut the journal, the acts before stay readable, the rest is reported and kept, and the next
// act begins on a new line.
func TestCutAtEachByte(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	whole := filepath.Join(folder, "whole.jsonl")
	l := openTestLog(t, whole)
	var ids []string
	for i := range 2 {
		act, err := l.Begin(testEntry)
		require.NoError(t, err)
		ids = append(ids, act.ID())
		if i == 0 {
			require.NoError(t, act.End(Written, "t", nil))
		}
	}
	content := readText(t, whole)
	require.Equal(t, 3, strings.Count(content, "\n"))
	for cut := range len(content) + 1 {
		path := filepath.Join(folder, fmt.Sprint(cut))
		require.NoError(t, os.WriteFile(path, []byte(content[:cut]), 0o600))
		torn := content[strings.LastIndex(content[:cut], "\n")+1 : cut]
		whole := strings.Count(content[:cut], "\n")
		if strings.HasSuffix(torn, "}") { // only the line feed is missing
			whole, torn = whole+1, ""
		}
		want := map[string]Outcome{}
		for i := range whole {
			want[ids[i/2]] = []Outcome{Unknown, Written}[i%2]
		}
		requireActs(t, path, want, torn != "", int64(cut-len(torn)))

		act, err := openTestLog(t, path).Begin(testEntry)
		require.NoError(t, err)
		require.NoError(t, act.End(Already, "", nil))
		require.True(t, strings.HasPrefix(readText(t, path), content[:cut]), "what was there is kept")
		want[act.ID()] = Already
		requireActs(t, path, want, torn != "", int64(cut-len(torn)))
	}
}

// requireActs checks the outcomes of all acts in a journal, and whether one line is damaged.
func requireActs(t *testing.T, path string, want map[string]Outcome, damaged bool, offset int64) {
	t.Helper()
	entries, err := Read(t.Context(), path, Filter{})
	got := map[string]Outcome{}
	for _, e := range entries {
		require.NotContains(t, got, e.ID)
		got[e.ID] = e.Outcome
		require.Equal(t, e.Outcome == Unknown, e.Error == MissingEnd)
	}
	require.Equal(t, want, got)
	require.True(t, slices.IsSortedFunc(entries, func(x, y Entry) int { return y.Time.Compare(x.Time) }))
	if !damaged {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, ErrDamaged)
	var damage *DamageError
	require.ErrorAs(t, err, &damage)
	require.Equal(t, []any{1, offset}, []any{damage.Lines, damage.Offset})
}

// writeActs writes a journal of n acts, one a minute, of which each tenth has no end.
func writeActs(t *testing.T, path string, n int) time.Time {
	t.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var text bytes.Buffer
	for i := range n {
		e := Entry{
			ID: fmt.Sprintf("%032x", i), Time: start.Add(time.Duration(i) * time.Minute), Who: []string{"ann", "root (sudo by Bea)"}[i%2], Via: "command",
			Action: []string{"set the credit line", "suspend"}[i/2%2], Peer: fmt.Sprint("peer", i%5),
		}
		line, err := encodeLine(e)
		require.NoError(t, err)
		text.Write(line)
		if i%10 != 9 {
			e.Outcome, e.EndedAt = Written, e.Time
			line, err = encodeLine(e)
			require.NoError(t, err)
			text.Write(line)
		}
	}
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	return start
}

func TestFilter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	start := writeActs(t, path, 20)
	for _, test := range []struct {
		filter Filter
		want   []int
	}{
		{Filter{Limit: 3}, []int{19, 18, 17}},
		{Filter{Peer: "peer1"}, []int{16, 11, 6, 1}},
		{Filter{Peer: "peer"}, nil},
		{Filter{Who: "bea", Action: "SUSPEND"}, []int{19, 15, 11, 7, 3}},
		{Filter{Who: "ANN", From: start.Add(14 * time.Minute)}, []int{18, 16, 14}},
		{Filter{To: start.Add(3 * time.Minute), Limit: 2}, []int{2, 1}},
		{Filter{From: start.Add(3 * time.Minute), To: start.Add(3 * time.Minute)}, nil},
	} {
		entries, err := Read(t.Context(), path, test.filter)
		require.NoError(t, err)
		var got []int
		for _, e := range entries {
			var i int
			_, err := fmt.Sscanf(e.ID, "%x", &i)
			require.NoError(t, err)
			got = append(got, i)
			require.Equal(t, i%10 == 9, e.Outcome == Unknown && e.EndedAt.IsZero())
		}
		require.Equal(t, test.want, got, "%+v", test.filter)
	}
	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Len(t, entries, 20)
}

// A read ends at MaxBytes, which it reports, at a line that is older than From by more than clocks differ, and with its context.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	l := openTestLog(t, path)
	for i := range 3 {
		e := testEntry
		e.Time = time.Now().Add(time.Duration(i-2) * 48 * time.Hour)
		_, err := l.Begin(e)
		require.NoError(t, err)
	}
	content := readText(t, path)
	last := int64(len(content) - strings.LastIndex(content[:len(content)-1], "\n") - 1)
	for most, want := range map[int64]int{last: 1, last - 1: 0} {
		entries, err := Read(t.Context(), path, Filter{MaxBytes: most})
		require.ErrorIs(t, err, ErrCut)
		require.Len(t, entries, want)
	}
	entries, err := Read(t.Context(), path, Filter{MaxBytes: int64(len(content))})
	require.NoError(t, err)
	require.Len(t, entries, 3)

	// The damaged line is at the begin of the file: a read that stops before does not meet it.
	require.NoError(t, os.WriteFile(path, []byte("damage\n"+content), 0o600))
	_, err = Read(t.Context(), path, Filter{From: time.Now().Add(-time.Hour)})
	require.NoError(t, err)
	_, err = Read(t.Context(), path, Filter{From: time.Now().Add(-95 * time.Hour)})
	require.ErrorIs(t, err, ErrDamaged)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Read(ctx, path, Filter{})
	require.ErrorIs(t, err, context.Canceled)
}

// countingFile counts the bytes read from a file.
type countingFile struct {
	io.ReaderAt
	read int
}

func (f *countingFile) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(b, at)
	f.read += n
	return n, err
}

// largeJournal is the number of acts of a large journal.
var largeJournal = 100_000

// Of a large journal the newest acts take no more than the blocks at its end, and a search through all of it holds one block,
// one line and the ids of acts at work at once.
func TestLargeJournal(t *testing.T) {
	t.Parallel()
	acts := largeJournal
	path := filepath.Join(t.TempDir(), "j.jsonl")
	writeActs(t, path, acts)
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	info, err := file.Stat()
	require.NoError(t, err)

	counted := &countingFile{ReaderAt: file}
	r := reader{filter: Filter{Limit: 100}, ended: map[string]bool{}}
	require.NoError(t, r.readLines(t.Context(), newLineScanner(counted, info.Size()), info.Size()))
	require.Len(t, r.entries, 100)
	require.Less(t, counted.read, 2*blockSize)

	r = reader{filter: Filter{Peer: "nobody", Limit: 1}, ended: map[string]bool{}}
	s := newLineScanner(file, info.Size())
	lines, largest, atWork := 0, 0, 0
	for {
		line, ok, err := s.scanLine()
		require.NoError(t, err)
		if !ok {
			break
		}
		largest = max(largest, cap(s.rest))
		if len(line) == 0 {
			continue
		}
		lines++
		e, err := parseLine(line)
		if err != nil {
			require.NoError(t, err)
		}
		r.addLine(e)
		atWork = max(atWork, len(r.ended))
	}
	require.LessOrEqual(t, largest, blockSize+maxLine)
	require.Equal(t, 1, atWork)

	endless := strings.Repeat("x", 20*blockSize)
	s = newLineScanner(strings.NewReader(endless), int64(len(endless)))
	line, ok, err := s.scanLine()
	require.NoError(t, err)
	require.Equal(t, []any{[]byte(nil), true}, []any{line, ok})
	require.LessOrEqual(t, cap(s.rest), blockSize+maxLine, "of a line without an end too")
	require.Empty(t, r.entries)
	require.Equal(t, acts+acts*9/10, lines)
	entries, err := Read(t.Context(), path, Filter{Limit: acts + 1})
	require.NoError(t, err)
	require.Len(t, entries, acts)
	require.Equal(t, fmt.Sprintf("%032x", 0), entries[acts-1].ID)
}

// Lines that are no acts are counted, with the place and the cause of the last one, and hide no act.
func TestDamagedLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	writeActs(t, path, 2)
	content := readText(t, path)
	for _, test := range []struct{ line, cause string }{
		{"x", "invalid character"},
		{`{"json":2,"id":"a","time":"2026-01-01T00:00:00Z"}`, "has format 2"},
		{`{"json":1,"id":"","time":"2026-01-01T00:00:00Z"}`, "no id"},
		{`{"json":1,"id":"a"}`, "no time"},
		{strings.Repeat("y", 5*blockSize), "longer than"},
		{`{"json":1,"id":"a","time":"2026-01-01T00:00:00Z","note":"` + strings.Repeat("y", maxLine) + `"}`, "longer than"},
	} {
		damaged := "z\n" + content + test.line + "\n" + strings.ReplaceAll(content, `"id":"0`, `"id":"1`)
		require.NoError(t, os.WriteFile(path, []byte(damaged), 0o600))
		entries, err := Read(t.Context(), path, Filter{})
		require.Len(t, entries, 4)
		var damage *DamageError
		require.ErrorAs(t, err, &damage)
		require.Equal(t, []any{2, int64(2 + len(content)), false}, []any{damage.Lines, damage.Offset, damage.AtEnd})
		require.ErrorContains(t, err, test.cause)
	}
	require.NoError(t, os.WriteFile(path, []byte(content+`{"json":1,"future":{"x":[1]},"id":"a","time":"2026-01-01T00:00:00Z","outcome":"written"}`+"\n{"), 0o600))
	entries, err := Read(t.Context(), path, Filter{})
	require.Len(t, entries, 3, "unknown fields are of later versions")
	require.ErrorContains(t, err, fmt.Sprintf("the file ends in a line that a crash has torn, at byte %d", len(content)+89))
}

// FuzzRead reads any bytes as a journal, and again with an act behind them: no line is lost or changed, and the act is found.
func FuzzRead(f *testing.F) {
	line := `{"json":1,"id":"a","time":"2026-01-01T00:00:00Z","who":"ann","via":"command","action":"x"`
	for _, seed := range []string{"", "\n", "{", line + "}\n" + line + `,"outcome":"written"}` + "\n", line + "}", "\n\n" + line + "}\n{\n" + line[:30]} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var got [][]byte
		for s := newLineScanner(bytes.NewReader(content), int64(len(content))); ; {
			scanned, ok, err := s.scanLine()
			require.NoError(t, err)
			if !ok {
				break
			}
			got = append([][]byte{slices.Clone(scanned)}, got...)
		}
		if len(content) > 0 && len(content) < maxLine {
			require.Equal(t, string(content), string(bytes.Join(got, []byte("\n"))))
		}
		all := Filter{Limit: len(content) + 2}
		before, errBefore := readEntries(t.Context(), bytes.NewReader(content), int64(len(content)), "j", all)
		more := slices.Concat(content, []byte("\n"+strings.Replace(line, `"a"`, `"fuzz"`, 1)+"}\n"))
		after, errAfter := readEntries(t.Context(), bytes.NewReader(more), int64(len(more)), "j", all)
		require.Equal(t, errBefore == nil, errAfter == nil)
		i := slices.IndexFunc(after, func(e Entry) bool { return e.ID == "fuzz" })
		require.GreaterOrEqual(t, i, 0)
		require.True(t, slices.Equal(before, slices.Delete(after, i, i+1)))
	})
}
