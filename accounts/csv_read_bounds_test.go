package accounts_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// A statement of two entries, as written by the first version, and by this version.
const (
	oldHead      = "time,kind,asset,amount,held,position,credit_line,counterparty,packet,condition,order,late,reason,transfer,code\n"
	oldOpening   = ",opening,USD/9,,,0,0,,,,,,,,\n"
	oldStatement = oldHead + oldOpening +
		"2026-01-01T00:00:00Z,credit line,USD/9,0,,0,7,line,,,,,,9,40\n" +
		"2026-01-01T00:00:02Z,packet,USD/9,5,,5,7,peer bob,1,c0ffee0000000000,,,,3,1\n" +
		",closing,USD/9,,,5,7,,,,,,,,\n"
	newHead = "time,kind,asset,amount,held,position,credit_line,counterparty,packet,condition,order,late,reason,transfer,code,direction,key_hash,key,arrears,journal,round,packets\n"
)

func TestReadCSVOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	entries := collectEntries(t, accounts.ReadCSV(strings.NewReader(oldStatement), usd))
	require.Len(t, entries, 2)
	require.Equal(t, accounts.Direction(""), entries[1].Direction)
	require.Equal(t, int64(5_000_000_000), entries[1].Amount.Int64())

	err := lastError(strings.NewReader(strings.Replace(newHead, "\n", ",colour\n", 1)))
	require.EqualError(t, err, `accounts: statement: line 1 has the unknown column "colour": a newer version has written the file`)
	err = lastError(strings.NewReader(strings.Replace(oldStatement, "transfer,code", "code,transfer", 1)))
	require.ErrorContains(t, err, "line 1 must have the headers time,kind,")
}

// An unchanged statement as saved by a spreadsheet.
func TestReadCSVOfASpreadsheet(t *testing.T) {
	t.Parallel()
	want := collectEntries(t, accounts.ReadCSV(strings.NewReader(oldStatement), usd))
	for _, text := range []string{
		"\ufeff" + oldStatement,
		"\ufeff" + strings.ReplaceAll(oldStatement, "\n", "\r\n"),
		strings.ReplaceAll(oldStatement, "peer bob", `"peer bob"`),
		strings.TrimSuffix(oldStatement, "\n"),
	} {
		require.Equal(t, want, collectEntries(t, accounts.ReadCSV(strings.NewReader(text), usd)))
	}
	require.Error(t, lastError(strings.NewReader("\ufeff\ufeff"+oldStatement)), "one mark, at the beginning")
	require.Error(t, lastError(strings.NewReader("\ufeff")))
}

// repeated yields a text again and again, until left bytes are read.
type repeated struct {
	text string
	left int64
}

func (e *repeated) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text)
	e.left -= int64(n)
	return n, nil
}

// Any file sent by a peer takes little memory.
func TestReadCSVIsBounded(t *testing.T) { //nolint:paralleltest // it measures memory
	const size = 64 << 20
	begin := "2026-01-01T00:00:00Z,packet,USD/9,1,,1,0,"
	for _, c := range []struct{ name, before, again string }{
		{"one field", oldHead + oldOpening + begin + `"peer `, "aaaaaaaa"},
		{"one field of many lines", oldHead + oldOpening + begin + `"peer `, "aaaaaaa\n"},
		{"one line of many fields", oldHead + oldOpening + begin, "a,a,"},
		{"empty lines", oldHead + oldOpening, "\n"},
		{"the headers", "", "time,"},
		{"behind the end", oldStatement, "aaaaaaaa"},
	} {
		text := &repeated{c.again, size}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := lastError(io.MultiReader(strings.NewReader(c.before), text))
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, accounts.ErrInvalid, c.name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), c.name)
		require.Greater(t, text.left, int64(size-128<<10), "no more was read than the longest line: %s", c.name)
	}
}

// The longest line and the longest field are read; one byte more is refused.
func TestReadCSVToTheBound(t *testing.T) {
	t.Parallel()
	packet := func(name string) string {
		return oldHead + oldOpening + "2026-01-01T00:00:02Z,packet,USD/9,5,,5,0," + name + ",1,,,,,3,1\n,closing,USD/9,,,5,0,,,,,,,,\n"
	}
	longest := "peer " + strings.Repeat("a", 2048-len("peer "))
	require.NoError(t, lastError(strings.NewReader(packet(longest))))
	err := lastError(strings.NewReader(packet(longest + "a")))
	require.EqualError(t, err, "accounts: statement: line 3: counterparty has more than 2048 bytes")

	line := func(n int) string { // of n bytes with its line feed
		text := strings.TrimSuffix(strings.TrimPrefix(packet(""), oldHead+oldOpening), "\n,closing,USD/9,,,5,0,,,,,,,,\n")
		field := strings.Repeat(`""`, (n-len(text)-3)/2) + strings.Repeat("a", (n-len(text)-3)%2)
		return packet(`"` + field + `"`)
	}
	err = lastError(strings.NewReader(line(64 << 10)))
	require.EqualError(t, err, "accounts: statement: line 3: counterparty has more than 2048 bytes", "the line is read")
	err = lastError(strings.NewReader(line(64<<10 + 1)))
	require.EqualError(t, err, "accounts: statement: line 3 has more than 65536 bytes")
}

// The longest names and keys survive writing and reading.
func TestReadCSVOfTheLongestNames(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	long := strings.Repeat(`"`, 1023)
	peers := provision(t, book, 1000, "alice")
	_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: peers[0], Key: long, Debit: units(3), ReasonCode: 5})
	require.NoError(t, err)
	s, err := book.Statement(t.Context(), peers[0], time.Time{}, time.Time{}, accounts.WithKnownKeys("another", long))
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	entries := collectEntries(t, accounts.ReadCSV(&text, usd))
	require.Equal(t, long, entries[1].Key)
}

// Capital has a key and a direction, too.
func TestStatementOfCapital(t *testing.T) {
	t.Parallel()
	book, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	_, err = book.Provision(t.Context())
	require.NoError(t, err)
	_, err = book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "deposit 1", Amount: units(50), ReasonCode: 7})
	require.NoError(t, err)
	_, err = book.Withdraw(t.Context(), accounts.Capital{Asset: usd, Key: "withdrawal 2", Amount: units(20), ReasonCode: 8})
	require.NoError(t, err)
	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	s, err := book.Statement(t.Context(), own, time.Time{}, time.Time{}, accounts.WithKnownKeys("deposit 1"))
	require.NoError(t, err)
	entries := collectEntries(t, s.Entries(t.Context()))
	require.Len(t, entries, 2)
	require.Equal(t, accounts.DirectionIn, entries[0].Direction)
	require.Equal(t, "deposit 1", entries[0].Key)
	require.Equal(t, []uint32{7, 8}, []uint32{entries[0].ReasonCode, entries[1].ReasonCode})
	require.Equal(t, accounts.DirectionOut, entries[1].Direction)
	require.Empty(t, entries[1].Key)
	require.False(t, entries[1].KeyHash.IsZero())
}
